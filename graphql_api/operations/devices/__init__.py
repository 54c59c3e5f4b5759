"""Where a customer is signed in: the list, the end of one session, and "this was not me"."""

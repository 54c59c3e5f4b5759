"""Sign-up: from the attributes in a request to a confirmed customer."""

"""Types that several operations share, the error members, and the messages for people."""

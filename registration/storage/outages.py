"""What a database that does not do its work is to the rest of the program."""


class Unavailable(Exception):
    """The database did not answer, or is locked; nothing was written. Worth another try later."""


class Locked(Unavailable):
    """Another transaction has locked what was to be written, and did not release it in time."""


class Misconfigured(Unavailable):
    """An operator has to act; the text is one line with the cause and what to do."""

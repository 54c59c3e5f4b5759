"""Errors of the database: the exceptions that the rest of the program sees, and the line for the operator."""

from enum import StrEnum
from typing import Any

from sqlalchemy.exc import DataError, DBAPIError


class Outage(StrEnum):
    """The kinds of outages, in the words of /readyz."""

    UNREACHABLE = "database unreachable"
    READ_ONLY = "database read-only"
    FULL = "disk full"
    LOCKED = "database locked"
    LATE = "database too slow"
    ENCODING = "database encoding is not UTF8"
    MISCONFIGURED = "database misconfigured"
    LEDGER = "ledger of erasures not writable"


class Unavailable(Exception):
    """The database did not answer, or is locked. Worth another try later.

    Nothing was written, unless the answer to the commit was lost.

    The text is one line for an operator, without values of rows.
    """

    def __init__(self, reason: str, outage: Outage = Outage.UNREACHABLE) -> None:
        super().__init__(reason)
        self.outage = outage


class Locked(Unavailable):
    """Another transaction has locked what was to be written, and did not release it in time."""


class Misconfigured(Unavailable):
    """It stays so until an operator acts; the text says what to do."""

    def __init__(self, reason: str, outage: Outage = Outage.MISCONFIGURED) -> None:
        super().__init__(reason, outage)


def too_late() -> Unavailable:
    return Unavailable("the deadline of the request has passed", Outage.LATE)


LOCK_NOT_AVAILABLE = "55P03"
# PgBouncer reports its own refusals with it; the message has the reason.
PROTOCOL_VIOLATION = "08P01"

# By the SQLSTATE of PostgreSQL, or by the beginning of SQLite's name of the error.
REASONS = {
    "25006": ("the database is read-only", Outage.READ_ONLY),
    "53100": ("the disk is full", Outage.FULL),
    "57014": ("a statement took too long", Outage.LATE),
    "25P04": ("a transaction took too long", Outage.LATE),
    "ConnectionTimeout": ("the server does not answer", Outage.UNREACHABLE),
    "SQLITE_READONLY": ("the file cannot be written", Outage.READ_ONLY),
    "SQLITE_FULL": ("the disk is full", Outage.FULL),
    "SQLITE_BUSY": ("another process holds the lock", Outage.LOCKED),
    "SQLITE_CANTOPEN": ("the file cannot be opened", Outage.UNREACHABLE),
    "SQLITE_IOERR": ("the disk does not work", Outage.UNREACHABLE),
}

# SQLSTATEs that an operator has to act on, with what to do; the server's message names the object.
MENDED_BY_OPERATOR = {
    "42501": "grant the role of GATEWAY_DATABASE_URL what it lacks, or run migrate with one that has it",
    "42P07": "it is of another application: use a database of its own, or a schema: ?options=-csearch_path%3Dname",
    "42710": "it is of another application: use a database of its own, or a schema: ?options=-csearch_path%3Dname",
    "3F000": "create the schema that search_path names",
}


def state_of(error: DBAPIError) -> str:
    """The SQLSTATE, or the driver's own name of the error, but not its text, which can quote values."""
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return state or type(error.orig).__name__


def outage_of(error: DBAPIError) -> Unavailable:
    """The exception for a failed statement or connection."""
    state = state_of(error)
    if state in MENDED_BY_OPERATOR:
        return Misconfigured(f"{_message(error)}; {MENDED_BY_OPERATOR[state]}")
    if state == LOCK_NOT_AVAILABLE:
        return Locked("another transaction holds a lock", Outage.LOCKED)
    if state == PROTOCOL_VIOLATION:
        return Unavailable(f"database error {state}: {_message(error)}")
    for beginning, (reason, outage) in REASONS.items():
        if state.startswith(beginning):
            return Unavailable(f"database error {state}: {reason}", outage)
    return Unavailable(f"database error {state}")


def is_about_a_row(error: Exception) -> bool:
    """Whether a value cannot be read as what its column holds, which says nothing about other rows."""
    return isinstance(error, DataError) or not isinstance(error, DBAPIError | Unavailable)


def _message(error: DBAPIError) -> str:
    """The first line of the server's own message, which names objects of the schema and no values."""
    orig: Any = error.orig
    return str(orig.diag.message_primary)

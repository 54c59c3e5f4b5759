"""Counts of attempts that are limited, in the table `attempt`, under keys that name no person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, bindparam, delete, literal_column, update
from sqlalchemy.dialects import postgresql, sqlite

from registration.outcomes import TooManyAttempts
from registration.storage.tables import attempt

OVER = delete(attempt).where(
    attempt.c.key.in_(bindparam("keys", expanding=True)), attempt.c.window_ends_at <= bindparam("now")
)
# Built once, because building takes as long as running them.
DELETE_ONLY = delete(attempt).where(attempt.c.key == bindparam("counted"), attempt.c.count <= 1)
SUBTRACT = update(attempt).where(attempt.c.key == bindparam("counted")).values(count=attempt.c.count - 1)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` attempts in a window of `seconds`, which begins with the first one."""

    count: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Counted:
    """How many attempts there were in the window, the last ones included."""

    count: int
    window_ends_at: datetime


def count_attempt(connection: Connection, key: str, limit: Limit, now: datetime) -> TooManyAttempts | None:
    """Count one attempt inside the caller's transaction; None when it is within the limit."""
    counted = count_attempts(connection, {key: (1, limit)}, now)[key]
    return None if counted.count <= limit.count else TooManyAttempts.until(counted.window_ends_at, now)


def count_attempts(
    connection: Connection, numbers: Mapping[str, tuple[int, Limit]], now: datetime, most: int | None = None
) -> Mapping[str, Counted]:
    """Count so many attempts for each key, whose limit says how long its window lasts.

    A key whose count is `most` or more is neither counted nor in the result; with None every key is counted.

    In the order of the keys, so that two nodes cannot wait for each other in a circle. The counting itself is one
    statement, so that attempts at the same moment cannot both be the last one allowed.
    """
    if not numbers:
        return {}
    keys = sorted(numbers)
    connection.execute(OVER, {"keys": keys, "now": now})
    rows = [
        {"key": key, "count": number, "window_ends_at": now + timedelta(seconds=limit.seconds)}
        for key, (number, limit) in sorted(numbers.items())
    ]
    found = connection.execute(_upsert(connection.dialect.name, most), rows)
    return {key: Counted(count, window_ends_at) for key, count, window_ends_at in found}


def uncount_attempt(connection: Connection, key: str) -> None:
    """Uncount an attempt; deletes the window if it has no other."""
    if not connection.execute(DELETE_ONLY, {"counted": key}).rowcount:
        connection.execute(SUBTRACT, {"counted": key})


@cache
def _upsert(dialect: str, most: int | None) -> Executable:
    """Built once: SQLAlchemy builds and compares a statement with values in it anew for every execution."""
    insert: Any = (sqlite if dialect == "sqlite" else postgresql).insert(attempt)
    upsert = insert.on_conflict_do_update(
        index_elements=attempt.primary_key,
        set_={"count": attempt.c.count + insert.excluded.count},
        where=None if most is None else attempt.c.count < literal_column(str(most)),
    )
    returning: Executable = upsert.returning(attempt.c.key, attempt.c.count, attempt.c.window_ends_at)
    return returning

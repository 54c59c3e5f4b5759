"""Counts of attempts that are limited, in the table `attempt`, under keys that name no person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, bindparam, case
from sqlalchemy.dialects import postgresql, sqlite

from registration.outcomes import TooManyAttempts
from registration.storage.tables import attempt


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
    counted = count_attempts(connection, {key: 1}, limit, now)[key]
    return None if counted.count <= limit.count else TooManyAttempts.until(counted.window_ends_at, now)


def count_attempts(
    connection: Connection, numbers: Mapping[str, int], limit: Limit, now: datetime
) -> Mapping[str, Counted]:
    """Count attempts inside the caller's transaction, a number for each key; returns the counts by key.

    Rows are locked in the order of the keys, so that two nodes cannot deadlock; in one statement, so that attempts at
    the same moment cannot both be the last one allowed.
    """
    ends_at = now + timedelta(seconds=limit.seconds)
    rows = [
        {"key": key, "count": number, "window_ends_at": ends_at, "now": now} for key, number in sorted(numbers.items())
    ]
    found = connection.execute(_upsert(connection.dialect.name), rows)
    return {key: Counted(count, window_ends_at) for key, count, window_ends_at in found}


@cache
def _upsert(dialect: str) -> Executable:
    """Built once: SQLAlchemy builds and compares a statement with values in it anew for every execution."""
    insert: Any = (sqlite if dialect == "sqlite" else postgresql).insert(attempt)
    is_over = attempt.c.window_ends_at <= bindparam("now", type_=attempt.c.window_ends_at.type)
    new = insert.excluded
    upsert = insert.on_conflict_do_update(
        index_elements=attempt.primary_key,
        set_={
            "count": case((is_over, new.count), else_=attempt.c.count + new.count),
            "window_ends_at": case((is_over, new.window_ends_at), else_=attempt.c.window_ends_at),
        },
    )
    returning: Executable = upsert.returning(attempt.c.key, attempt.c.count, attempt.c.window_ends_at)
    return returning

"""Counts of what must not be tried too often, kept in the database; it never knows what is counted."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import Connection, case
from sqlalchemy.dialects import postgresql, sqlite

from registration.storage.tables import attempt


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` in a window of `seconds` that begins with the first one."""

    count: int
    seconds: int


def count_attempt(connection: Connection, key: str, limit: Limit, now: datetime) -> int | None:
    """Count one attempt; None when it is within the limit, else the seconds until the window ends.

    One statement, so that attempts at the same moment cannot both be the last one allowed.
    """
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert
    window_ends_at = now + timedelta(seconds=limit.seconds)
    is_over = attempt.c.window_ends_at <= now
    count, ends_at = connection.execute(
        insert(attempt)
        .values(key=key, count=1, window_ends_at=window_ends_at)
        .on_conflict_do_update(
            index_elements=["key"],
            set_={
                "count": case((is_over, 1), else_=attempt.c.count + 1),
                "window_ends_at": case((is_over, window_ends_at), else_=attempt.c.window_ends_at),
            },
        )
        .returning(attempt.c.count, attempt.c.window_ends_at)
    ).one()
    if count <= limit.count:
        return None
    left: float = (ends_at - now).total_seconds()
    return max(1, ceil(left))

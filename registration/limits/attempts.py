"""Counts of attempts that are limited, in the table `attempt`, under keys that name no person."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, bindparam, delete, literal_column, update

from registration.outcomes import TooManyAttempts
from registration.storage.inserts import conflict_insert
from registration.storage.tables import attempt

ARE_GIVEN = attempt.c.key.in_(bindparam("keys", expanding=True))
# Built once, because building takes as long as running them.
OVER = delete(attempt).where(ARE_GIVEN, attempt.c.window_ends_at <= bindparam("now"))
EMPTY = delete(attempt).where(ARE_GIVEN, attempt.c.count <= 0)
SUBTRACT = (
    update(attempt).where(attempt.c.key == bindparam("counted")).values(count=attempt.c.count - bindparam("number"))
)


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
    rows = [
        {"key": key, "count": number, "window_ends_at": now + timedelta(seconds=limit.seconds)}
        for key, (number, limit) in sorted(numbers.items())
    ]
    counted = _add(connection, rows, most)
    doubtful = [row for row in rows if row["key"] not in counted or counted[row["key"]].window_ends_at <= now]
    if doubtful:
        # Windows that are over are deleted after they were counted, because few are, and because they are locked then.
        connection.execute(OVER, {"keys": [row["key"] for row in doubtful], "now": now})
        counted |= _add(connection, doubtful, most)
    return counted


def uncount_attempts(connection: Connection, keys: Iterable[str]) -> None:
    """Uncount an attempt for each key, in the order given; deletes the windows that have no other."""
    numbers = Counter(keys)
    if numbers:
        connection.execute(SUBTRACT, [{"counted": key, "number": number} for key, number in numbers.items()])
        connection.execute(EMPTY, {"keys": list(numbers)})


def _add(connection: Connection, rows: Sequence[Mapping[str, Any]], most: int | None) -> dict[str, Counted]:
    found = connection.execute(_upsert(connection.dialect.name, most), rows)
    return {key: Counted(count, window_ends_at) for key, count, window_ends_at in found}


@cache
def _upsert(dialect: str, most: int | None) -> Executable:
    """Built once: SQLAlchemy builds and compares a statement with values in it anew for every execution."""
    insert = conflict_insert(attempt, dialect)
    upsert = insert.on_conflict_do_update(
        index_elements=attempt.primary_key,
        set_={"count": attempt.c.count + insert.excluded.count},
        where=None if most is None else attempt.c.count < literal_column(str(most)),
    )
    returning: Executable = upsert.returning(attempt.c.key, attempt.c.count, attempt.c.window_ends_at)
    return returning

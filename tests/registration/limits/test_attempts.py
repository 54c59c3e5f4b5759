"""Counts of attempts: exact at the edges of a window and under concurrency."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import event

from registration.limits.attempts import Limit, count_attempt, count_attempts
from registration.storage.database import Database
from tests.clock import Clock

LIMIT = Limit(3, 60)


def count(database: Database, clock: Clock, key: str = "a") -> int | None:
    blocked = database.write(lambda connection: count_attempt(connection, key, LIMIT, clock()))
    return None if blocked is None else blocked.retry_after_seconds


def test_counts_up_to_the_limit(database: Database, clock: Clock) -> None:
    """Attempts over the limit are refused with the seconds until the window ends."""
    assert [count(database, clock) for _ in range(5)] == [None, None, None, 60, 60]


def test_window_begins_with_the_first_attempt(database: Database, clock: Clock) -> None:
    """Refused attempts do not lengthen the window, and seconds are rounded up."""
    for _ in range(4):
        count(database, clock)
        clock.move(timedelta(seconds=10))
    clock.move(timedelta(seconds=19.999))
    assert count(database, clock) == 1
    clock.move(timedelta(seconds=0.001))
    assert [count(database, clock) for _ in range(4)] == [None, None, None, 60]


def test_keys_are_counted_apart(database: Database, clock: Clock) -> None:
    """Attempts of one key do not count for another."""
    for _ in range(4):
        count(database, clock)
    assert count(database, clock, "b") is None


def test_attempts_at_the_same_moment_are_all_counted(database: Database, clock: Clock) -> None:
    """Of twenty attempts at once exactly as many as the limit are allowed."""
    with ThreadPoolExecutor(20) as threads:
        outcomes = list(threads.map(lambda _: count(database, clock), range(20)))
    assert outcomes.count(None) == LIMIT.count


def test_keys_are_counted_in_their_order(database: Database, clock: Clock) -> None:
    """Two nodes that count the same keys cannot deadlock, because both lock their rows in this order."""
    counted: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "INSERT INTO attempt" in statement:
            counted.extend(re.findall(r"key-\w", str(parameters)))

    event.listen(database.engine, "before_cursor_execute", note)
    numbers = {f"key-{name}": (1, LIMIT) for name in "cadb"}
    database.write(lambda connection: count_attempts(connection, numbers, clock()))
    assert counted == ["key-a", "key-b", "key-c", "key-d"]

"""Counts of attempts: exact at the edges of a window and under concurrency."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from registration.attempts import Limit, count_attempt, forget_old_attempts
from registration.database import Database
from registration.tables import attempt
from tests.clock import Clock
from tests.registration.stored import rows

LIMIT = Limit(3, 60)


def count(database: Database, clock: Clock, key: str = "a") -> int | None:
    return database.write(lambda connection: count_attempt(connection, key, LIMIT, clock()))


def test_counts_up_to_the_limit(database: Database, clock: Clock) -> None:
    """The one after the last allowed is told how long the window still lasts."""
    assert [count(database, clock) for _ in range(5)] == [None, None, None, 60, 60]


def test_window_begins_with_the_first_attempt(database: Database, clock: Clock) -> None:
    """Attempts that are refused do not lengthen it; seconds are rounded up, never down to nothing."""
    for _ in range(4):
        count(database, clock)
        clock.move(timedelta(seconds=10))
    clock.move(timedelta(seconds=19.999))
    assert count(database, clock) == 1
    clock.move(timedelta(seconds=0.001))
    assert [count(database, clock) for _ in range(4)] == [None, None, None, 60]


def test_keys_are_counted_apart(database: Database, clock: Clock) -> None:
    """Nobody pays for another's attempts."""
    for _ in range(4):
        count(database, clock)
    assert count(database, clock, "b") is None


def test_attempts_at_the_same_moment_are_all_counted(database: Database, clock: Clock) -> None:
    """Of twenty at once exactly the limit get through."""
    with ThreadPoolExecutor(20) as threads:
        outcomes = list(threads.map(lambda _: count(database, clock), range(20)))
    assert outcomes.count(None) == LIMIT.count


def test_old_counts_are_forgotten(database: Database, clock: Clock) -> None:
    """Those whose window is over, and no others; a few at a time."""
    for key in ("old", "older", "oldest"):
        count(database, clock, key)
    clock.move(timedelta(seconds=30))
    count(database, clock, "new")
    clock.move(timedelta(seconds=30))
    forgotten = [database.write(lambda connection: forget_old_attempts(connection, clock(), 2)) for _ in range(3)]
    assert forgotten == [2, 1, 0]
    assert [row["key"] for row in rows(database, attempt)] == ["new"]

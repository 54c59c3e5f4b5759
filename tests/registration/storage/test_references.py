"""Customer references: no number is ever given out twice."""

from concurrent.futures import ThreadPoolExecutor

from registration.storage.database import Database, open_database
from registration.storage.references import BLOCK, References
from registration.storage.tables import counter
from tests.registration.stored import rows


def numbers(references: References, count: int) -> list[int]:
    return [int(references.draw().removeprefix("DE--")) for _ in range(count)]


def test_are_numbered_from_one(database: Database) -> None:
    """The first customer of a new installation has number one; the prefix is a setting."""
    assert References(database, "AT").draw() == "AT--1"


def test_are_drawn_in_blocks(database: Database) -> None:
    """One write for many customers: the counter moves when a block is used up, and not before."""
    references = References(database, "DE")
    assert numbers(references, BLOCK) == list(range(1, BLOCK + 1))
    assert rows(database, counter) == [{"name": "customer", "next": BLOCK + 1}]
    assert numbers(references, 1) == [BLOCK + 1]
    assert rows(database, counter) == [{"name": "customer", "next": 2 * BLOCK + 1}]


def test_processes_have_blocks_of_their_own(database: Database) -> None:
    """A restart, or another process, leaves numbers out and repeats none."""
    one, other = References(database, "DE"), References(database, "DE")
    drawn = [number for _ in range(3) for references in (one, other) for number in numbers(references, BLOCK // 2)]
    assert len(set(drawn)) == len(drawn)


def test_are_unique_under_threads(database: Database, database_url: str) -> None:
    """Twenty threads of two processes draw at once."""
    elsewhere = open_database(database_url)
    processes = [References(database, "DE"), References(elsewhere, "DE")]
    with ThreadPoolExecutor(20) as threads:
        drawn = [number for part in threads.map(numbers, processes * 10, [30] * 20) for number in part]
    elsewhere.close()
    assert len(set(drawn)) == len(drawn) == 600

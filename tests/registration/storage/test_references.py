"""Customer references: each number is given out once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from registration.storage.database import Database, open_database
from registration.storage.references import BLOCK, GAP, References, leave_out, number_in
from registration.storage.tables import counter
from tests.registration.stored import rows


def numbers(references: References, count: int) -> list[int]:
    return [int(references.draw().removeprefix("DE--")) for _ in range(count)]


def test_are_numbered_from_one(database: Database) -> None:
    """The first reference of a new installation has the prefix of the settings and the number one."""
    assert References(database, "AT").draw() == "AT--1"


def test_are_drawn_in_blocks(database: Database) -> None:
    """The counter moves once for each block, when the block before is used up."""
    references = References(database, "DE")
    assert numbers(references, BLOCK) == list(range(1, BLOCK + 1))
    assert rows(database, counter) == [{"name": "customer", "next": BLOCK + 1}]
    assert numbers(references, 1) == [BLOCK + 1]
    assert rows(database, counter) == [{"name": "customer", "next": 2 * BLOCK + 1}]


def test_processes_have_blocks_of_their_own(database: Database) -> None:
    """Two processes draw from blocks of their own, so that no number is drawn twice."""
    one, other = References(database, "DE"), References(database, "DE")
    drawn = [number for _ in range(3) for references in (one, other) for number in numbers(references, BLOCK // 2)]
    assert len(set(drawn)) == len(drawn)


def test_a_gap_is_left(database: Database) -> None:
    """After a gap no number of before is given out; a second gap leaves as many out again."""
    references = References(database, "DE")
    last = numbers(references, BLOCK)[-1]
    starts = [database.write(leave_out) for _ in range(2)]
    assert starts == [last + GAP + 1, last + 2 * GAP + 1]
    assert numbers(references, 1) == starts[1:]


def test_are_unique_under_threads(database: Database, database_url: str) -> None:
    """Twenty threads of two processes at once draw no number twice."""
    other = open_database(database_url)
    processes = [References(database, "DE"), References(other, "DE")]
    with ThreadPoolExecutor(20) as threads:
        drawn = [number for part in threads.map(numbers, processes * 10, [30] * 20) for number in part]
    other.close()
    assert len(set(drawn)) == len(drawn) == 600


@pytest.mark.parametrize(
    ("reference", "number"),
    [
        ("DE--25", 25),
        ("customer--7", 7),
        ("a-b-999999999999999999", 999_999_999_999_999_999),
        ("DE--1000000000000000000", None),
        ("DE--025", None),
        ("DE--0", None),
        ("DE--", None),
        ("DE--25a", None),
        ("DE25", None),
        ("25", None),
        ("DE--٢٥", None),
        ("DE--25\n", None),
        ("", None),
    ],
)
def test_number_of_a_reference(reference: str, number: int | None) -> None:
    """The number of a reference follows its last hyphen, without leading zeros; other references have none."""
    assert number_in(reference) == number

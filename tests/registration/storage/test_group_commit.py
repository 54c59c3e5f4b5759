"""Group commit: which items are written together, which are waited for, and which fail together."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest

from registration.storage.database import Locked, Unavailable
from registration.storage.deadline import remaining, within
from registration.storage.group_commit import GroupCommit
from tests.waiting import wait_for

# A broken group commit completes no item, and every test would wait for ever.
pytestmark = pytest.mark.seconds(5)
FOR_EVER = 3600.0
MAX_BATCH = 3


class Ledger:
    """Writes numbers into its pages, one page for each group; refuses negative numbers, and blocks until `unlocked`."""

    def __init__(self) -> None:
        self.pages: list[list[int]] = []
        self.unlocked = Event()
        self.unlocked.set()
        self.began = Event()
        self.is_away = False
        self.held: set[int] = set()
        """Numbers that another transaction has locked, until `released`."""
        self.released = Event()
        self.late: dict[int, Exception] = {}
        """What is raised for a number when the others of its page are written already, until `released`."""
        self.seconds: list[float] = []
        """How long each write might take."""

    def write(self, numbers: Sequence[int]) -> list[str | Exception]:
        self.seconds.append(remaining())
        self.began.set()
        wait_for(self.unlocked)
        if self.is_away:
            raise Unavailable("closed for today")
        if self.held.intersection(numbers):
            raise Locked("another transaction writes there")
        if min(numbers) < 0:
            raise ValueError("a debt")
        self.pages.append([number for number in numbers if number not in self.late])
        return [self.late.get(number) or f"wrote {number}" for number in numbers]

    def write_alone(self, number: int) -> str | Exception:
        wait_for(self.released)
        self.held.clear()
        self.late.clear()
        return self.write([number])[0]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@contextmanager
def opened(ledger: Ledger, *, min_in_flight: int = 0, max_wait: float = FOR_EVER) -> Iterator[GroupCommit[int, str]]:
    commits = GroupCommit(
        ledger.write, ledger.write_alone, max_batch=MAX_BATCH, min_in_flight=min_in_flight, max_wait=max_wait
    )
    yield commits
    ledger.unlocked.set()
    ledger.released.set()
    commits.close()


def reserve(commits: GroupCommit[int, str], number: int) -> None:
    for _ in range(number):
        commits.reserve()


def release(commits: GroupCommit[int, str], number: int) -> None:
    for _ in range(number):
        commits.release()


def submit(commits: GroupCommit[int, str], *items: int) -> list["Future[str]"]:
    """Submit reserved items."""
    outcomes: list[Future[str]] = [Future() for _ in items]
    for item, outcome in zip(items, outcomes, strict=True):
        commits.submit(item, outcome)
    return outcomes


class TestGroups:
    def test_a_single_item_does_not_wait(self, ledger: Ledger) -> None:
        """An item is written at once when no other is reserved."""
        with opened(ledger) as commits:
            for number in (1, 2):
                reserve(commits, 1)
                assert submit(commits, number)[0].result() == f"wrote {number}"
        assert ledger.pages == [[1], [2]]

    def test_reserved_items_are_waited_for(self, ledger: Ledger) -> None:
        """Reserved items are waited for and written together, each with an outcome of its own."""
        with opened(ledger) as commits:
            reserve(commits, 2)
            assert [outcome.result() for outcome in submit(commits, 1, 2)] == ["wrote 1", "wrote 2"]
        assert ledger.pages == [[1, 2]]

    def test_released_items_are_not_waited_for(self, ledger: Ledger) -> None:
        """An item whose reservation is released is not waited for."""
        with opened(ledger) as commits:
            reserve(commits, 2)
            (outcome,) = submit(commits, 1)
            release(commits, 1)
            assert outcome.result() == "wrote 1"

    def test_the_least_number_in_flight_is_not_waited_for(self, ledger: Ledger) -> None:
        """Up to `min_in_flight` items are not waited for: their clients may be waiting for this very group."""
        with opened(ledger, min_in_flight=2) as commits:
            reserve(commits, 3)
            assert submit(commits, 1)[0].result() == "wrote 1"
            release(commits, 2)

    def test_a_full_group_does_not_wait(self, ledger: Ledger) -> None:
        """A group of `max_batch` items is written at once, however many more are reserved."""
        with opened(ledger) as commits:
            reserve(commits, MAX_BATCH + 5)
            for outcome in submit(commits, *range(MAX_BATCH)):
                outcome.result()
            release(commits, 5)
        assert ledger.pages == [[0, 1, 2]]

    def test_a_group_waits_at_most_max_wait(self, ledger: Ledger) -> None:
        """A group is written after `max_wait` seconds, although a reserved item is missing."""
        with opened(ledger, max_wait=0.01) as commits:
            reserve(commits, 2)
            assert submit(commits, 1)[0].result() == "wrote 1"
            release(commits, 1)

    def test_items_that_come_meanwhile_are_in_the_next_group(self, ledger: Ledger) -> None:
        """Items that come while a group is written make the next groups, of at most `max_batch`."""
        ledger.unlocked.clear()
        with opened(ledger) as commits:
            reserve(commits, 1)
            outcomes = submit(commits, 0)
            wait_for(ledger.began)
            reserve(commits, MAX_BATCH + 1)
            outcomes += submit(commits, *range(1, MAX_BATCH + 2))
            ledger.unlocked.set()
            assert [outcome.result() for outcome in outcomes] == [f"wrote {number}" for number in range(MAX_BATCH + 2)]
        assert ledger.pages == [[0], [1, 2, 3], [4]]

    def test_close_waits_for_reserved_items(self, ledger: Ledger) -> None:
        """Closing waits until every reserved item is submitted or released."""
        with ThreadPoolExecutor() as threads, opened(ledger) as commits:
            reserve(commits, 2)
            closing = threads.submit(commits.close)
            (outcome,) = submit(commits, 1)
            assert outcome.result() == "wrote 1"
            assert not closing.done()
            release(commits, 1)
            closing.result()

    def test_close_writes_waiting_items(self, ledger: Ledger) -> None:
        """Closing writes the items that wait."""
        with opened(ledger) as commits:
            reserve(commits, 2)
            (outcome,) = submit(commits, 1)
            release(commits, 1)
        assert outcome.result() == "wrote 1"


class TestFailures:
    def test_an_item_at_fault_fails_alone(self, ledger: Ledger) -> None:
        """An item that makes its group fail fails alone; the others are written."""
        with opened(ledger) as commits:
            reserve(commits, 3)
            first, second, third = submit(commits, 1, -2, 3)
            assert first.result() == "wrote 1"
            assert third.result() == "wrote 3"
            with pytest.raises(ValueError, match="a debt"):
                second.result()
        assert ledger.pages == [[1], [3]]

    def test_what_is_written_is_not_written_again(self, ledger: Ledger) -> None:
        """An item that fails, or is locked, after the others of its group are written does so alone."""
        ledger.late = {2: ValueError("a debt"), 3: Locked("another transaction writes there")}
        with opened(ledger) as commits:
            reserve(commits, 3)
            first, second, third = submit(commits, 1, 2, 3)
            assert first.result() == "wrote 1"
            with pytest.raises(ValueError, match="a debt"):
                second.result()
            assert not third.done()
            ledger.released.set()
            assert third.result() == "wrote 3"
        assert ledger.pages == [[1], [3]]

    def test_an_outage_fails_the_group_at_once(self, ledger: Ledger) -> None:
        """An outage fails all items at once: to try each again would take as many time-outs."""
        ledger.is_away = True
        with opened(ledger) as commits:
            reserve(commits, 2)
            for outcome in submit(commits, 1, 2):
                with pytest.raises(Unavailable):
                    outcome.result()

    def test_each_item_has_an_exception_of_its_own(self, ledger: Ledger) -> None:
        """Each item of a failed group gets an exception of its own, because raising one adds to its traceback."""
        ledger.is_away = True
        with opened(ledger) as commits:
            reserve(commits, 2)
            first, second = (outcome.exception() for outcome in submit(commits, 1, 2))
        assert first is not second
        assert str(first) == str(second) == "closed for today"

    def test_a_locked_item_waits_on_another_thread(self, ledger: Ledger) -> None:
        """A locked item delays neither the items of its group nor later ones; only closing waits for it."""
        ledger.held = {2}
        with ThreadPoolExecutor() as threads, opened(ledger) as commits:
            reserve(commits, 3)
            first, held, third = submit(commits, 1, 2, 3)
            assert (first.result(), third.result()) == ("wrote 1", "wrote 3")
            reserve(commits, 1)
            assert submit(commits, 4)[0].result() == "wrote 4"
            closing = threads.submit(commits.close)
            assert not held.done()
            ledger.released.set()
            assert held.result() == "wrote 2"
            closing.result()

    def test_a_locked_item_that_fails_fails_alone(self, ledger: Ledger) -> None:
        """A locked item that then fails gets its exception, and the others of its group are written."""
        ledger.held = {-2}
        ledger.released.set()
        with opened(ledger) as commits:
            reserve(commits, 2)
            first, held = submit(commits, 1, -2)
            assert first.result() == "wrote 1"
            with pytest.raises(ValueError, match="a debt"):
                held.result()

    def test_later_groups_are_written_after_a_failure(self, ledger: Ledger) -> None:
        """A group that fails does not end the thread: the next one is written."""
        with opened(ledger) as commits:
            reserve(commits, 2)
            submit(commits, -1, -2)
            reserve(commits, 1)
            assert submit(commits, 3)[0].result() == "wrote 3"


class TestDeadlines:
    def test_a_group_may_take_as_long_as_its_last_request(self, ledger: Ledger) -> None:
        """A group is written until the latest deadline of its items, and an item alone until its own."""
        ledger.held = {2}
        ledger.released.set()
        with opened(ledger) as commits:
            reserve(commits, 2)
            with within(60):
                (first,) = submit(commits, 1)
            with within(30):
                (second,) = submit(commits, 2)
            assert (first.result(), second.result()) == ("wrote 1", "wrote 2")
        together, *_, alone = ledger.seconds
        assert 30 < together <= 60
        assert 0 < alone <= 30

    def test_an_item_whose_deadline_has_passed_is_not_written(self, ledger: Ledger) -> None:
        """A request that was answered at its deadline writes nothing afterwards; the others of its group do."""
        with opened(ledger) as commits:
            reserve(commits, 2)
            with within(-1):
                (late,) = submit(commits, 1)
            (other,) = submit(commits, 2)
            assert other.result() == "wrote 2"
            with pytest.raises(Unavailable, match="deadline"):
                late.result()
        assert ledger.pages == [[2]]

    def test_a_group_of_late_items_is_not_written(self, ledger: Ledger) -> None:
        """A group of which no item can be answered any more is not written."""
        with opened(ledger) as commits:
            reserve(commits, 1)
            with within(-1):
                (late,) = submit(commits, 1)
            with pytest.raises(Unavailable, match="deadline"):
                late.result()
        assert ledger.seconds == []

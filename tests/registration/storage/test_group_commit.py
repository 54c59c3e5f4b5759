"""Group commit: who is written with whom, who waits for whom, and who pays for whose failure."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest

from registration.storage.database import Locked, Unavailable
from registration.storage.group_commit import GroupCommit
from tests.waiting import wait_for

# A broken group commit answers no item, and every test would wait for ever.
pytestmark = pytest.mark.seconds(5)
FOR_EVER = 3600.0
MAX_BATCH = 3


class Ledger:
    """Writes numbers into its pages, a page for each group; refuses what is negative, and stands still when locked."""

    def __init__(self) -> None:
        self.pages: list[list[int]] = []
        self.unlocked = Event()
        self.unlocked.set()
        self.began = Event()
        self.is_away = False
        self.held: set[int] = set()
        """Numbers whose lines somebody else is writing, until `released`."""
        self.released = Event()

    def write(self, numbers: Sequence[int]) -> list[str]:
        self.began.set()
        wait_for(self.unlocked)
        if self.is_away:
            raise Unavailable("closed for today")
        if self.held.intersection(numbers):
            raise Locked("somebody writes there")
        if min(numbers) < 0:
            raise ValueError("a debt")
        self.pages.append(list(numbers))
        return [f"wrote {number}" for number in numbers]

    def write_alone(self, number: int) -> str:
        wait_for(self.released)
        self.held.clear()
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
    """Items that were expected."""
    outcomes: list[Future[str]] = [Future() for _ in items]
    for item, outcome in zip(items, outcomes, strict=True):
        commits.submit(item, outcome)
    return outcomes


class TestGroups:
    def test_who_is_alone_does_not_wait(self, ledger: Ledger) -> None:
        """Nobody else is expected, so there is nobody to wait for."""
        with opened(ledger) as commits:
            for number in (1, 2):
                reserve(commits, 1)
                assert submit(commits, number)[0].result() == f"wrote {number}"
        assert ledger.pages == [[1], [2]]

    def test_those_expected_are_waited_for(self, ledger: Ledger) -> None:
        """And written together, each with an outcome of its own."""
        with opened(ledger) as commits:
            reserve(commits, 2)
            assert [outcome.result() for outcome in submit(commits, 1, 2)] == ["wrote 1", "wrote 2"]
        assert ledger.pages == [[1, 2]]

    def test_who_does_not_come_is_not_waited_for(self, ledger: Ledger) -> None:
        """Its sign-up was refused, say."""
        with opened(ledger) as commits:
            reserve(commits, 2)
            (outcome,) = submit(commits, 1)
            release(commits, 1)
            assert outcome.result() == "wrote 1"

    def test_spare_makers_are_not_waited_for(self, ledger: Ledger) -> None:
        """They might be waiting for a place that those who wait here hold."""
        with opened(ledger, min_in_flight=2) as commits:
            reserve(commits, 3)
            assert submit(commits, 1)[0].result() == "wrote 1"
            release(commits, 2)

    def test_full_group_does_not_wait(self, ledger: Ledger) -> None:
        """However many more are expected."""
        with opened(ledger) as commits:
            reserve(commits, MAX_BATCH + 5)
            for outcome in submit(commits, *range(MAX_BATCH)):
                outcome.result()
            release(commits, 5)
        assert ledger.pages == [[0, 1, 2]]

    def test_patience_ends(self, ledger: Ledger) -> None:
        """Somebody is expected who takes too long."""
        with opened(ledger, max_wait=0.01) as commits:
            reserve(commits, 2)
            assert submit(commits, 1)[0].result() == "wrote 1"
            release(commits, 1)

    def test_who_comes_meanwhile_is_in_the_next_group(self, ledger: Ledger) -> None:
        """While a transaction runs, the next group gathers, of no more than the most."""
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

    def test_closing_waits_for_those_expected(self, ledger: Ledger) -> None:
        """Nobody is told that it is closed who was told to come."""
        with ThreadPoolExecutor() as threads, opened(ledger) as commits:
            reserve(commits, 2)
            closing = threads.submit(commits.close)
            (outcome,) = submit(commits, 1)
            assert outcome.result() == "wrote 1"
            assert not closing.done()
            release(commits, 1)
            closing.result()

    def test_closing_writes_what_waits(self, ledger: Ledger) -> None:
        """Nothing that was added is forgotten."""
        with opened(ledger) as commits:
            reserve(commits, 2)
            (outcome,) = submit(commits, 1)
            release(commits, 1)
        assert outcome.result() == "wrote 1"


class TestFailures:
    def test_one_at_fault_fails_alone(self, ledger: Ledger) -> None:
        """The others are written as if it had never been there."""
        with opened(ledger) as commits:
            reserve(commits, 3)
            first, second, third = submit(commits, 1, -2, 3)
            assert first.result() == "wrote 1"
            assert third.result() == "wrote 3"
            with pytest.raises(ValueError, match="a debt"):
                second.result()
        assert ledger.pages == [[1], [3]]

    def test_outage_fails_all_at_once(self, ledger: Ledger) -> None:
        """To ask for each again would let the last one wait for as many time-outs."""
        ledger.is_away = True
        with opened(ledger) as commits:
            reserve(commits, 2)
            for outcome in submit(commits, 1, 2):
                with pytest.raises(Unavailable):
                    outcome.result()

    def test_each_has_a_failure_of_its_own(self, ledger: Ledger) -> None:
        """Who raises an exception adds to its traceback, which the next one would log."""
        ledger.is_away = True
        with opened(ledger) as commits:
            reserve(commits, 2)
            first, second = (outcome.exception() for outcome in submit(commits, 1, 2))
        assert first is not second
        assert str(first) == str(second) == "closed for today"

    def test_who_must_wait_for_a_lock_waits_aside(self, ledger: Ledger) -> None:
        """Neither its company nor whoever comes later waits with it; closing does."""
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

    def test_who_waited_in_vain_is_told(self, ledger: Ledger) -> None:
        """And is the only one."""
        ledger.held = {-2}
        ledger.released.set()
        with opened(ledger) as commits:
            reserve(commits, 2)
            first, held = submit(commits, 1, -2)
            assert first.result() == "wrote 1"
            with pytest.raises(ValueError, match="a debt"):
                held.result()

    def test_goes_on_after_a_failure(self, ledger: Ledger) -> None:
        """A failure is its caller's, not the end of the thread."""
        with opened(ledger) as commits:
            reserve(commits, 2)
            submit(commits, -1, -2)
            reserve(commits, 1)
            assert submit(commits, 3)[0].result() == "wrote 3"

"""The batch: items in flight are prepared on the threads of hash slots, and committed together (decision 0015)."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import Generic, TypeVar

from registration.hashing.passwords import Passwords
from registration.storage.group_commit import GroupCommit

MAX_BATCH = 16
"""At most this many items share a transaction (decision 0065)."""

MAX_WAIT = 0.1
"""Seconds that a prepared item waits at most for others to fill its batch."""

LOCK_WAIT = 0.05
"""Seconds that a batch waits for a row that another node is writing; then its items are written one by one."""

Prepared = TypeVar("Prepared")
Outcome = TypeVar("Outcome")
Write = Callable[[Sequence[Prepared], float | None], Sequence[Outcome | Exception]]
"""Writes items together; returns their outcomes, in the same order, after their commit.

Raises only while none is committed; what is raised later is the outcome of its item. Raises Locked when another
transaction holds a row for longer than so many seconds; with None, the waits of the database apply.
"""


def grouped(write: Write[Prepared, Outcome], *, min_in_flight: int) -> GroupCommit[Prepared, Outcome]:
    """A group commit with these limits; see there for `min_in_flight`."""
    return GroupCommit(
        lambda items: write(items, LOCK_WAIT),
        lambda item: write([item], None)[0],
        max_batch=MAX_BATCH,
        min_in_flight=min_in_flight,
        max_wait=MAX_WAIT,
    )


class Batcher(Generic[Prepared, Outcome]):
    """Prepares and commits items; safe for any thread. An item that waits for its batch occupies no thread."""

    def __init__(self, passwords: Passwords, kind: type[Prepared], write: Write[Prepared, Outcome]) -> None:
        """`kind` tells what is to be committed from an outcome."""
        self._passwords = passwords
        self._kind = kind
        self._commits = grouped(write, min_in_flight=passwords.slots)

    def submit(
        self, prepare: Callable[[], Prepared | Outcome], outcome: "Future[Outcome] | None" = None
    ) -> "Future[Outcome]":
        """Prepare an item when a hash slot is free, then commit it unless its outcome is known by then.

        The future, a new one unless it is given, gets the outcome, or what was raised, after the commit.
        """
        outcome = outcome or promised()
        self._commits.reserve()
        self._passwords.submit(partial(copy_context().run, self._prepare, prepare, outcome))
        return outcome

    def close(self) -> None:
        """Wait for the items in flight; the caller must not submit any more."""
        self._commits.close()

    def _prepare(self, prepare: Callable[[], Prepared | Outcome], outcome: "Future[Outcome]") -> None:
        try:
            prepared = prepare()
        except Exception as error:
            self._commits.release()
            outcome.set_exception(error)
            return
        if isinstance(prepared, self._kind):
            self._commits.submit(prepared, outcome)
        else:
            self._commits.release()
            outcome.set_result(prepared)  # type: ignore[arg-type]


def promised() -> "Future[Outcome]":
    """A future that cannot be cancelled: what it stands for is committed also when its caller has gone."""
    outcome: Future[Outcome] = Future()
    outcome.set_running_or_notify_cancel()
    return outcome

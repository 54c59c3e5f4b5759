"""Group commit: items of many callers are written in one transaction.

A transaction for eight costs little more than one for one: they share its statements, its commit, and the processor's
caches, which the password hashes between two transactions have emptied (decision 0015).
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Generic, TypeVar

from registration.storage import deadline
from registration.storage.database import Locked, Unavailable
from registration.storage.outages import too_late
from registration.tracing import traces

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

LOCK_WAITERS = 8
"""At most this many items at once wait for a lock that another transaction holds for long; each takes a connection."""


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Item, Outcome]):
    """An item that waits to be written, the future of its outcome, and the deadline and the place of its request."""

    item: Item
    outcome: "Future[Outcome]"
    deadline: float
    place: object


class GroupCommit(Generic[Item, Outcome]):
    """Writes items in groups of at most `max_batch`, on a thread of its own, in the order in which they came.

    `reserve` announces an item that is being prepared. While more than `min_in_flight` are, a group waits for them, at
    most `max_wait` seconds. With fewer, a hash slot could sit idle waiting for a client whose item is itself waiting
    for the group.

    `write` must give up soon, with Locked, where another transaction holds a lock: the next groups wait behind it. A
    group that fails is written item by item, and an item that is locked even so is written by `write_alone` on another
    thread. An outage fails the whole group at once. An item whose outcome is an exception fails, or waits for its lock,
    alone: the others are written.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Sequence[Outcome | Exception]],
        write_alone: Callable[[Item], Outcome | Exception],
        *,
        max_batch: int,
        min_in_flight: int,
        max_wait: float,
    ) -> None:
        self._write = write
        self._write_alone = write_alone
        self._lock_waiters = ThreadPoolExecutor(LOCK_WAITERS, thread_name_prefix="lock-waiter")
        self._max_batch = max_batch
        self._min_in_flight = min_in_flight
        self._max_wait = max_wait
        self._reserved = 0
        self._waiting: list[Waiting[Item, Outcome]] = []
        self._changed = Condition()
        self._is_open = True
        # Daemon: a second Ctrl-C skips `close`. Safe, because items that are not committed have not been answered.
        self._thread = Thread(target=self._run, name="commit", daemon=True)
        self._thread.start()

    def reserve(self) -> None:
        """Announce an item that is being prepared: `submit` or `release` follows."""
        with self._changed:
            self._reserved += 1

    def release(self) -> None:
        """Take a reservation back: the item does not come."""
        with self._changed:
            self._reserved -= 1
            self._wake()

    def submit(self, item: Item, outcome: "Future[Outcome]") -> None:
        """Hand in a reserved item. The future gets its outcome, or what was raised, after the commit."""
        with self._changed:
            self._reserved -= 1
            self._waiting.append(Waiting(item, outcome, deadline.current(), traces.place()))
            self._wake()

    def close(self) -> None:
        """Write the items that wait or are reserved; the caller must not reserve any more."""
        with self._changed:
            self._is_open = False
            self._changed.notify()
        self._thread.join()
        self._lock_waiters.shutdown()

    def _wake(self) -> None:
        """Wake the thread for the first item of a group, which starts the clock, and for the one that completes it."""
        if len(self._waiting) == 1 or self._is_complete():
            self._changed.notify()

    def _is_complete(self) -> bool:
        return len(self._waiting) >= self._max_batch or self._reserved <= self._min_in_flight or not self._is_open

    def _run(self) -> None:
        while group := self._next_group():
            self._write_group(group)

    def _next_group(self) -> Sequence[Waiting[Item, Outcome]]:
        """The next items to write; empty once this is closed and no item waits or is reserved."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not (self._is_open or self._reserved))
            self._changed.wait_for(self._is_complete, self._max_wait)
            group, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
            return group

    def _write_group(self, group: Sequence[Waiting[Item, Outcome]]) -> None:
        group = _in_time(group)
        if not group:
            return
        try:
            with (
                deadline.until(max(waiting.deadline for waiting in group)),
                traces.spans("commit", [waiting.place for waiting in group]),
            ):
                outcomes = self._write([waiting.item for waiting in group])
        except Exception as error:
            self._handle_failure(group, error)
        else:
            for waiting, outcome in zip(group, outcomes, strict=True):
                if isinstance(outcome, Exception):
                    self._handle_failure([waiting], outcome)
                else:
                    waiting.outcome.set_result(outcome)

    def _handle_failure(self, group: Sequence[Waiting[Item, Outcome]], error: Exception) -> None:
        is_outage = isinstance(error, Unavailable) and not isinstance(error, Locked)
        if len(group) > 1 and not is_outage:
            for waiting in group:  # one of them is at fault, and must not fail the others
                self._write_group([waiting])
        elif isinstance(error, Locked):
            self._lock_waiters.submit(self._wait_for_lock, *group)
        else:
            _fail(group, error)

    def _wait_for_lock(self, waiting: Waiting[Item, Outcome]) -> None:
        try:
            with deadline.until(waiting.deadline), traces.spans("commit alone", [waiting.place]):
                outcome = self._write_alone(waiting.item)
        except Exception as error:
            outcome = error
        if isinstance(outcome, Exception):
            _fail([waiting], outcome)
        else:
            waiting.outcome.set_result(outcome)


def _in_time(group: Sequence[Waiting[Item, Outcome]]) -> Sequence[Waiting[Item, Outcome]]:
    """The items whose deadline has not passed; the others are not written, because their callers were told so."""
    now = time.monotonic()
    for waiting in group:
        if waiting.deadline <= now:
            waiting.outcome.set_exception(too_late())
    return [waiting for waiting in group if waiting.deadline > now]


def _fail(group: Sequence[Waiting[Item, Outcome]], error: Exception) -> None:
    # Raising an exception again adds to its traceback. Only outages, which can be copied, fail several at once.
    errors = [copy(error) for _ in group[1:]] + [error]
    for waiting, own in zip(group, errors, strict=True):
        waiting.outcome.set_exception(own)

"""Group commit: what many callers want written goes into one transaction; it never knows what that is.

A transaction for eight costs little more than one for one: they share its statements, its commit, and the processor's
caches, which the password hashes between two transactions have emptied.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Generic, TypeVar

from registration.storage.database import Locked, Unavailable

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

PATIENT = 8
"""Items that wait at the same moment for locks which others hold for long; each takes a connection."""


@dataclass(frozen=True, slots=True)
class Entry(Generic[Item, Outcome]):
    """What is to be written, and where to say what came of it."""

    item: Item
    outcome: "Future[Outcome]"


class GroupCommit(Generic[Item, Outcome]):
    """Writes items in groups of at most `most`, on a thread of its own, in the order in which they came.

    `expect` says that an item is being made. While more than `spare` are being made, a group waits for them, but not
    longer than `patience` seconds. With fewer, a maker could idle because what it waits for is waiting here.

    `write` must give up soon, with Locked, where somebody else holds a lock: everybody waits behind it. Whose lock it
    was is then found out one by one, and that item alone is written by `write_patiently`, aside.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Sequence[Outcome]],
        write_patiently: Callable[[Item], Outcome],
        *,
        most: int,
        spare: int,
        patience: float,
    ) -> None:
        self._write = write
        self._write_patiently = write_patiently
        self._aside = ThreadPoolExecutor(PATIENT, thread_name_prefix="patient")
        self._most = most
        self._spare = spare
        self._patience = patience
        self._expected = 0
        self._waiting: list[Entry[Item, Outcome]] = []
        self._changed = Condition()
        self._is_open = True
        # A daemon, because a second Ctrl-C skips `close`; nobody has been told yet of what is not committed then.
        self._thread = Thread(target=self._run, name="commit", daemon=True)
        self._thread.start()

    def expect(self) -> None:
        """An item is being made: `add` or `forgo` follows."""
        with self._changed:
            self._expected += 1

    def forgo(self) -> None:
        """An expected item does not come."""
        with self._changed:
            self._expected -= 1
            self._wake()

    def add(self, item: Item, outcome: "Future[Outcome]") -> None:
        """An expected item is there. What came of it, or what was raised, is set when it is committed."""
        with self._changed:
            self._expected -= 1
            self._waiting.append(Entry(item, outcome))
            self._wake()

    def close(self) -> None:
        """Write what waits and what is expected; nobody may expect anything else any more."""
        with self._changed:
            self._is_open = False
            self._changed.notify()
        self._thread.join()
        self._aside.shutdown()

    def _wake(self) -> None:
        """For the first of a group, which starts the clock, and when the group is complete; else for nothing."""
        if len(self._waiting) == 1 or self._is_complete():
            self._changed.notify()

    def _is_complete(self) -> bool:
        return len(self._waiting) >= self._most or self._expected <= self._spare or not self._is_open

    def _run(self) -> None:
        while group := self._next_group():
            self._write_group(group)

    def _next_group(self) -> Sequence[Entry[Item, Outcome]]:
        """Empty when it is closed, and nothing waits or is expected any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not (self._is_open or self._expected))
            self._changed.wait_for(self._is_complete, self._patience)
            group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            return group

    def _write_group(self, group: Sequence[Entry[Item, Outcome]]) -> None:
        try:
            outcomes = self._write([entry.item for entry in group])
        except Exception as error:
            is_outage = isinstance(error, Unavailable) and not isinstance(error, Locked)
            if len(group) > 1 and not is_outage:
                for entry in group:  # one of them is at fault, for which the others must not pay
                    self._write_group([entry])
            elif isinstance(error, Locked):
                self._aside.submit(self._write_aside, *group)
            else:
                _fail(group, error)
        else:
            for entry, outcome in zip(group, outcomes, strict=True):
                entry.outcome.set_result(outcome)

    def _write_aside(self, entry: Entry[Item, Outcome]) -> None:
        try:
            entry.outcome.set_result(self._write_patiently(entry.item))
        except Exception as error:
            _fail([entry], error)


def _fail(group: Sequence[Entry[Item, Outcome]], error: Exception) -> None:
    # Whoever raises an exception again adds to its traceback. Only outages, which can be copied, fail several at once.
    errors = [copy(error) for _ in group[1:]] + [error]
    for entry, own in zip(group, errors, strict=True):
        entry.outcome.set_exception(own)

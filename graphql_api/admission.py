"""The bounded queue before the hash slots: who gets a turn, and who is told at once to come back; it hashes nothing."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

Result = TypeVar("Result")
Departure: TypeAlias = Callable[[], Awaitable[object]]
"""Completes when the caller has gone, so that nobody works for it."""

STAGES = 3
"""Operations in flight for each slot: one in the hash, one before it (rules, look-ups) and one behind it (commit), so
that a slot idles only if the other stages together take more than twice as long as the hash. Each extra one costs a
waiting thread and no hash memory."""

FIRST_GUESS = 0.1
"""Seconds that an operation takes, until some have been measured."""

WEIGHT_OF_LATEST = 0.1


@dataclass(frozen=True, slots=True)
class Admitted(Generic[Result]):
    result: Result


@dataclass(frozen=True, slots=True)
class Overloaded:
    """The wait would pass the deadline; nothing was done. `retry_after` is in whole seconds, at least 1."""

    retry_after: int


@dataclass(frozen=True, slots=True)
class Departed:
    """The caller went away while it waited; nothing was done."""


Refusal: TypeAlias = Overloaded | Departed
_Turn: TypeAlias = "asyncio.Future[Refusal | None]"
"""Settled with None when the turn has come."""


class Admission:
    """Belongs to one event loop. `deadline` is the longest wait in seconds; `clock` counts seconds."""

    def __init__(self, *, slots: int, deadline: float, clock: Callable[[], float]) -> None:
        self.capacity = slots * STAGES
        """How much work is under way at most: whatever threads it runs on, there must be as many."""
        self._free = self.capacity
        self._deadline = deadline
        self._clock = clock
        self._service_time = FIRST_GUESS
        self._queue: OrderedDict[_Turn, None] = OrderedDict()
        self._working: set[asyncio.Task[object]] = set()

    async def run(
        self, work: Callable[[], Awaitable[Result]], departure: Departure | None = None
    ) -> Admitted[Result] | Refusal:
        """Do the work when its turn comes. A cancelled caller leaves the queue; work that has begun runs to its end."""
        if self._free > 0:
            self._free -= 1
        elif refusal := await self._wait(departure):
            return refusal
        task = asyncio.ensure_future(self._work(work))
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        return Admitted(await asyncio.shield(task))

    def expected_wait(self) -> float:
        """Seconds until somebody who came now had a turn. By Little's law, capacity / service time leave per second."""
        return (len(self._queue) + 1) * self._service_time / self.capacity if self._free == 0 else 0.0

    async def drain(self) -> None:
        """Wait for work whose callers may have gone; for the shutdown, when nobody comes any more."""
        await asyncio.gather(*self._working, return_exceptions=True)

    def refusal(self) -> Overloaded | None:
        """What somebody who came now would be told at once; None for a turn or a place in the queue."""
        return self._overloaded() if self.expected_wait() > self._deadline else None

    def _overloaded(self) -> Overloaded:
        return Overloaded(max(1, math.ceil(self.expected_wait())))

    async def _wait(self, departure: Departure | None) -> Refusal | None:
        """None when the turn has come, which is then the caller's to give back."""
        if refusal := self.refusal():
            return refusal
        loop = asyncio.get_running_loop()
        turn: _Turn = loop.create_future()
        # The estimate can be wrong (cheap refusals, then a burst of hashes): the deadline itself also ends the wait.
        expiry = loop.call_later(self._deadline, lambda: _settle(turn, self._overloaded()))
        watch = asyncio.ensure_future(departure()) if departure else None
        if watch:
            watch.add_done_callback(lambda _: _settle(turn, Departed()))
        self._queue[turn] = None
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.result() is None:
                self._leave()
            raise
        finally:
            self._queue.pop(turn, None)
            expiry.cancel()
            if watch:
                watch.cancel()

    async def _work(self, work: Callable[[], Awaitable[Result]]) -> Result:
        started = self._clock()
        try:
            return await work()
        finally:
            self._service_time += WEIGHT_OF_LATEST * (self._clock() - started - self._service_time)
            self._leave()

    def _leave(self) -> None:
        """Hand the turn on, so that nobody who comes later can overtake the queue."""
        while self._queue:
            turn, _ = self._queue.popitem(last=False)
            if _settle(turn, None):
                return
        self._free += 1


def _settle(turn: _Turn, outcome: Refusal | None) -> bool:
    if turn.done():
        return False
    turn.set_result(outcome)
    return True

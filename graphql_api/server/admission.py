"""The bounded queue before the hash slots: a request gets a turn, waits for one, or is told at once to come back."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from registration import metrics
from registration.hashing.passwords import MAY_HASH
from registration.tracing import traces

Result = TypeVar("Result")

ClientGone: TypeAlias = Callable[[], Awaitable[object]]
"""Completes when the client has gone, so that no work is done for it."""

INITIAL_SERVICE_SECONDS = 0.1
"""Seconds that an operation takes, until some have been measured."""

WEIGHT_OF_LATEST = 0.1

REFUSE_AT = 0.8
"""Share of the deadline: a longer expected wait is refused at once.

Leave headroom: hashes slow down under load, and a refusal after waiting wastes the client's time.
"""

LAST_TURN_AT = 0.9
"""Share of the deadline after which no turn comes any more, because the client waits for the work, too."""

WATCH_AFTER = 0.5
"""Seconds of waiting before the connection is looked at for whether the client is still there."""


@dataclass(frozen=True, slots=True)
class Admitted(Generic[Result]):
    result: Result


@dataclass(frozen=True, slots=True)
class Overloaded:
    """The answer would come after the deadline; nothing was done. `retry_after` is in whole seconds, at least 1."""

    retry_after: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The caller went away while it waited; nothing was done."""

    retry_after: int = 1


Refusal: TypeAlias = Overloaded | Disconnected
_Turn: TypeAlias = "asyncio.Future[Refusal | None]"
"""Settled with None when the turn has come."""


class Admission:
    """Belongs to one event loop; lets `capacity` operations work at once.

    `deadline` is the longest wait in seconds; `clock` counts seconds.
    """

    def __init__(self, *, capacity: int, deadline: float, clock: Callable[[], float]) -> None:
        self._capacity = capacity
        self._free = capacity
        self._deadline = deadline
        self._clock = clock
        self.service_time = INITIAL_SERVICE_SECONDS
        """Seconds that an operation took lately, from when its turn came."""
        self._queue: OrderedDict[_Turn, None] = OrderedDict()

    async def run(
        self, work: Callable[[], Awaitable[Result]], gone: ClientGone | None = None
    ) -> Admitted[Result] | Refusal:
        """Do the work when its turn comes; it may hash then. A cancelled caller leaves the queue."""
        if self._free > 0:
            self._free -= 1
        elif refusal := await self._wait(gone):
            return refusal
        started = self._clock()
        outside = MAY_HASH.set(True)
        try:
            return Admitted(await work())
        finally:
            MAY_HASH.reset(outside)
            self.service_time += WEIGHT_OF_LATEST * (self._clock() - started - self.service_time)
            self._leave()

    def expected_wait(self) -> float:
        """Seconds until a request that comes now has a turn.

        By Little's law, capacity / service time leave per second.
        """
        waiting = len(self._queue) + 1 - self._free
        return max(0, waiting) * self.service_time / self._capacity

    def refusal(self) -> Overloaded | None:
        """What a request that comes now is told at once; None for a turn or a place in the queue."""
        wait = self.expected_wait()
        return _overloaded(wait) if wait > REFUSE_AT * self._deadline else None

    async def _wait(self, gone: ClientGone | None) -> Refusal | None:
        """None when the turn has come, which is then the caller's to give back."""
        if refusal := self.refusal():
            return refusal
        loop = asyncio.get_running_loop()
        turn: _Turn = loop.create_future()
        # The estimate can be wrong (cheap refusals, then a burst of hashes): the deadline itself also ends the wait.
        last_turn = LAST_TURN_AT * self._deadline
        expiry = loop.call_later(last_turn, lambda: _settle(turn, _overloaded(self.expected_wait())))
        watch = _Watch(gone, turn) if gone else None
        self._queue[turn] = None
        metrics.QUEUE_FOR_TURN.inc()
        try:
            with metrics.WAIT_FOR_TURN.time(), traces.span("wait for a turn"):
                return await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.result() is None:
                self._leave()
            raise
        finally:
            self._queue.pop(turn, None)
            metrics.QUEUE_FOR_TURN.dec()
            expiry.cancel()
            if watch:
                watch.end()

    def _leave(self) -> None:
        """Hand the turn on to the head of the queue, so that no later request overtakes it."""
        while self._queue:
            turn, _ = self._queue.popitem(last=False)
            if _settle(turn, None):
                return
        self._free += 1


class _Watch:
    """Ends the wait of a request whose client goes away.

    It begins late, because most turns come before that and need none.
    """

    def __init__(self, gone: ClientGone, turn: _Turn) -> None:
        self._gone = gone
        self._turn = turn
        self._task: asyncio.Future[object] | None = None
        self._start = asyncio.get_running_loop().call_later(WATCH_AFTER, self._begin)

    def end(self) -> None:
        self._start.cancel()
        if self._task:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.ensure_future(self._gone())
        self._task.add_done_callback(lambda _: _settle(self._turn, Disconnected()))


def _overloaded(wait: float) -> Overloaded:
    return Overloaded(max(1, math.ceil(wait)))


def _settle(turn: _Turn, outcome: Refusal | None) -> bool:
    if turn.done():
        return False
    turn.set_result(outcome)
    return True

import asyncio
from functools import partial

import pytest

from graphql_api.server.admission import REFUSE_AT, WATCH_AFTER, Admission, Admitted, Disconnected, Overloaded

pytestmark = pytest.mark.anyio
CAPACITY = 3


class Clock:
    """Seconds that pass only when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class House:
    """An admission whose turns are all taken by jobs that end when they are told to."""

    def __init__(self, deadline: float = 60.0) -> None:
        self.clock = Clock()
        self.admission = Admission(capacity=CAPACITY, deadline=deadline, clock=self.clock)
        self.journal: list[str] = []
        self.ends = [asyncio.Event() for _ in range(CAPACITY)]
        self.callers = [asyncio.create_task(self.admission.run(partial(self.job, end))) for end in self.ends]

    async def job(self, end: asyncio.Event) -> str:
        self.journal.append("began")
        await end.wait()
        self.journal.append("ended")
        return "done"

    async def named(self, name: str) -> str:
        self.journal.append(name)
        return name

    def enqueue(self, name: str) -> "asyncio.Task[Admitted[str] | Overloaded | Disconnected]":
        return asyncio.create_task(self.admission.run(lambda: self.named(name)))

    async def open(self) -> None:
        for end in self.ends:
            end.set()
        await asyncio.gather(*self.callers)


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


class TestTurns:
    async def test_work_is_done_at_once_while_there_is_room(self) -> None:
        """As many operations as its capacity are under way."""
        house = House()
        await settle()
        assert house.journal == ["began"] * CAPACITY
        await house.open()
        assert [caller.result() for caller in house.callers] == [Admitted("done")] * CAPACITY

    async def test_the_next_in_line_goes_first(self) -> None:
        """Turns are handed on in the order of arrival."""
        house = House()
        await settle()
        queued = [house.enqueue(name) for name in ("first", "second", "third")]
        await settle()
        assert "first" not in house.journal
        await house.open()
        assert await asyncio.gather(*queued) == [Admitted("first"), Admitted("second"), Admitted("third")]
        assert [entry for entry in house.journal if entry not in {"began", "ended"}] == ["first", "second", "third"]

    async def test_a_failure_gives_the_turn_back(self) -> None:
        """The exception reaches the caller, and the room is free again."""
        admission = Admission(capacity=CAPACITY, deadline=60, clock=Clock())

        async def fail() -> None:
            raise RuntimeError("the cable is unplugged")

        for _ in range(CAPACITY + 1):
            with pytest.raises(RuntimeError, match="unplugged"):
                await admission.run(fail)


class TestOverload:
    async def test_refuses_at_once_when_the_wait_would_pass_the_deadline(self) -> None:
        """With a first guess of 0.1 s an operation and three at a time, waits of up to 0.1 s let three wait."""
        house = House(deadline=0.101 / REFUSE_AT)
        await settle()
        queued = [house.enqueue(name) for name in ("first", "second", "third")]
        await settle()
        assert await house.enqueue("fourth") == Overloaded(retry_after=1)
        assert "fourth" not in house.journal
        await house.open()
        await asyncio.gather(*queued)

    async def test_expects_what_it_has_measured(self) -> None:
        """The expected wait follows the moving average of the time that operations took."""
        house = House(deadline=5)
        await settle()
        assert house.admission.expected_wait() == pytest.approx(0.1 / 3)
        house.clock.now = 200.0
        house.ends[0].set()
        await settle()
        assert house.admission.expected_wait() == 0.0
        refilled = asyncio.Event()
        caller = asyncio.create_task(house.admission.run(lambda: house.job(refilled)))
        await settle()
        assert house.admission.expected_wait() == pytest.approx((0.1 + 0.1 * 199.9) / 3)
        assert await house.enqueue("late") == Overloaded(retry_after=7)
        refilled.set()
        await house.open()
        await caller

    async def test_leaves_time_for_the_work(self) -> None:
        """The last turn comes before the deadline, because the client waits for the work, too."""
        house = House(deadline=0.5)
        await settle()
        deadline = asyncio.ensure_future(asyncio.sleep(0.5))
        assert await house.enqueue("stranded") == Overloaded(retry_after=1)
        assert not deadline.done()
        deadline.cancel()

    async def test_ends_a_wait_that_was_estimated_too_short(self) -> None:
        """A request waits no longer than the deadline, whatever was expected, and its turn goes to the next one."""
        house = House(deadline=0.04)
        await settle()
        assert await house.enqueue("stranded") == Overloaded(retry_after=1)
        await house.open()
        assert await house.enqueue("next") == Admitted("next")
        assert "stranded" not in house.journal


class TestDisconnect:
    async def test_a_caller_who_has_gone_leaves_the_queue(self) -> None:
        """Nothing is done for a client that does not wait for it any more."""
        house = House()
        gone = asyncio.Event()
        await settle()
        caller = asyncio.create_task(house.admission.run(lambda: house.named("gone"), gone.wait))
        patient = asyncio.create_task(house.admission.run(lambda: house.named("patient"), asyncio.Event().wait))
        await settle()
        gone.set()
        await asyncio.sleep(WATCH_AFTER)
        assert await caller == Disconnected()
        await house.open()
        assert await patient == Admitted("patient")
        assert "gone" not in house.journal

    async def test_nobody_looks_before_a_while(self) -> None:
        """Most turns come sooner, and to look costs more than to wait."""
        house = House()
        looked: list[None] = []

        async def look() -> None:
            looked.append(None)

        await settle()
        caller = asyncio.create_task(house.admission.run(lambda: house.named("quick"), look))
        await settle()
        await house.open()
        assert await caller == Admitted("quick")
        await asyncio.sleep(WATCH_AFTER)
        assert looked == []

    async def test_a_cancelled_caller_leaves_the_queue(self) -> None:
        """A cancelled caller leaves the queue, and the next one gets its turn."""
        house = House()
        await settle()
        cancelled, next_one = house.enqueue("cancelled"), house.enqueue("next")
        await settle()
        cancelled.cancel()
        await settle()
        house.ends[0].set()
        assert await next_one == Admitted("next")
        await house.open()
        assert "cancelled" not in house.journal

    @pytest.mark.parametrize("moment", [0, 1])
    async def test_a_turn_that_a_cancelled_caller_was_about_to_get_is_handed_on(self, moment: int) -> None:
        """A cancellation just before the turn is given, or just after, loses nothing."""
        house = House()
        await settle()
        cancelled, next_one = house.enqueue("cancelled"), house.enqueue("next")
        await settle()
        house.ends[0].set()
        for _ in range(moment):
            await asyncio.sleep(0)
        cancelled.cancel()
        assert await next_one == Admitted("next")
        await house.open()
        assert "cancelled" not in house.journal

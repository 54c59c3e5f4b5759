"""The thread hop: what comes back from other threads, and what happens when the waiting task was cancelled."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing, suppress
from math import inf
from threading import Event, current_thread

import pytest

from graphql_api.engine.threads import Threads
from graphql_api.server.admission import Admission, Admitted
from registration.storage.database import Unavailable
from registration.storage.deadline import remaining, within


async def cancelled_while_waiting(future: "Future[str]") -> bool:
    waiting = asyncio.ensure_future(asyncio.wrap_future(future))
    await asyncio.sleep(0)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    return waiting.cancelled()


def test_a_running_use_case_outlives_its_caller_and_the_event_loop() -> None:
    """After a second Ctrl-C work may end when there is no loop any more to tell."""
    future: Future[str] = Future()
    future.set_running_or_notify_cancel()
    assert asyncio.run(cancelled_while_waiting(future))
    future.set_result("done")
    assert future.result() == "done"


def test_pools_are_told_apart() -> None:
    """Use cases that hash do not take the threads of reads."""
    threads = Threads(hashing=1, other=1)

    async def names() -> tuple[str, str]:
        hashed = await Admission(capacity=1, deadline=1, clock=time.monotonic).run(lambda: threads.run_hashing(_name))
        assert isinstance(hashed, Admitted)
        return hashed.result, await threads.run(_name)

    hashing, other = asyncio.run(names())
    threads.close()
    assert hashing.startswith("hashing")
    assert other.startswith("work")


def _name() -> str:
    return current_thread().name


class TestDeadline:
    def test_reaches_the_thread(self) -> None:
        """Work knows the deadline of its request, which ends with the request."""
        with closing(Threads(hashing=1, other=1)) as threads:

            async def ask() -> float:
                with within(60):
                    return await threads.run(remaining)

            assert 0 < asyncio.run(ask()) <= 60
            assert asyncio.run(threads.run(remaining)) == inf

    def test_ends_the_wait_for_work_that_does_not_end(self) -> None:
        """At the deadline the caller is told, and work that waits behind the one that hangs does not begin later."""
        may_end, begun = Event(), Event()
        with closing(Threads(hashing=1, other=1)) as threads:

            async def ask(work: Callable[[], object]) -> None:
                with within(0), pytest.raises(Unavailable, match=r"^the deadline of the request has passed$"):
                    await threads.run(work)

            async def ask_both() -> None:
                await asyncio.gather(ask(may_end.wait), ask(begun.set))

            asyncio.run(ask_both())
            may_end.set()
        assert not begun.is_set()

    def test_does_not_hide_a_timeout_of_the_work(self) -> None:
        """A TimeoutError that the work raises is a bug, and is not taken for the deadline."""

        def fail() -> None:
            raise TimeoutError("of its own")

        async def ask() -> None:
            with within(60):
                await threads.run(fail)

        with closing(Threads(hashing=1, other=1)) as threads, pytest.raises(TimeoutError, match="of its own"):
            asyncio.run(ask())

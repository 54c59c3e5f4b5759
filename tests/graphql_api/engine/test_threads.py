"""The thread hop: what comes back from other threads, and what happens when nobody waits any more."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import current_thread

import pytest

from graphql_api.engine.threads import Threads, result_of


async def cancelled_while_waiting(future: "Future[str]") -> bool:
    waiting = asyncio.ensure_future(result_of(future))
    await asyncio.sleep(0)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    return waiting.cancelled()


class TestResultOf:
    def test_is_what_another_thread_made(self) -> None:
        """Also when it is there before anybody waits."""

        async def both() -> tuple[str, str]:
            with ThreadPoolExecutor(1) as threads:
                made = threads.submit(str, "now")
                return await result_of(made), await result_of(made)

        assert asyncio.run(both()) == ("now", "now")

    def test_is_what_another_thread_raised(self) -> None:
        """The same exception."""

        async def failing() -> None:
            with ThreadPoolExecutor(1) as threads:
                await result_of(threads.submit(int, "no number"))

        with pytest.raises(ValueError, match="no number"):
            asyncio.run(failing())

    def test_may_be_left_alone(self) -> None:
        """A caller who is cancelled does not cancel the work, whose end then disturbs nobody."""
        future: Future[str] = Future()

        async def leave() -> bool:
            is_cancelled = await cancelled_while_waiting(future)
            future.set_result("done")
            await asyncio.sleep(0.01)
            return is_cancelled

        assert asyncio.run(leave())
        assert future.result() == "done"

    def test_outlives_the_event_loop(self) -> None:
        """After a second Ctrl-C work may end when there is no loop any more to tell."""
        future: Future[str] = Future()
        assert asyncio.run(cancelled_while_waiting(future))
        future.set_result("done")
        assert future.result() == "done"


def test_pools_are_told_apart() -> None:
    """Sign-ups never take the threads of reads."""
    threads = Threads(hashing=1, other=1)

    async def names() -> tuple[str, str]:
        return await threads.run_hashing(_name), await threads.run(_name)

    hashing, other = asyncio.run(names())
    threads.close()
    assert hashing.startswith("sign-up")
    assert other.startswith("work")


def _name() -> str:
    return current_thread().name

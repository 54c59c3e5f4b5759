"""The thread hop: what comes back from other threads, and what happens when the waiting task was cancelled."""

import asyncio
import time
from concurrent.futures import Future
from contextlib import suppress
from threading import current_thread

import pytest

from graphql_api.engine.threads import Threads
from graphql_api.server.admission import Admission, Admitted, HashWithoutTurn


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


def test_hashing_outside_of_a_turn_is_refused() -> None:
    """An operation that hashes a password without the mark `@costs(Cost.HASH)` is a bug, and hashes nothing."""
    threads = Threads(hashing=1, other=1)
    with pytest.raises(HashWithoutTurn):
        asyncio.run(threads.run_hashing(_name))
    threads.close()


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

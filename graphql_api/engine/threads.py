"""The thread hop between the asynchronous gateway and the synchronous domain."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from math import inf
from typing import ParamSpec, TypeVar

from registration.storage.deadline import remaining
from registration.storage.outages import too_late
from registration.tracing import traces

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


LAST_RESORT = 0.5
"""Seconds after the deadline of a request; by then its thread has ended its waits, unless one cannot be ended."""


class Threads:
    """Two pools, so that use cases that hash do not block the threads of everything else.

    Work runs in a copy of the caller's context, with the deadline and the correlation id of its request.
    """

    def __init__(self, *, hashing: int, other: int = 8) -> None:
        self._hashing = ThreadPoolExecutor(hashing, thread_name_prefix="hashing")
        self._other = ThreadPoolExecutor(other, thread_name_prefix="work")

    async def run_hashing(
        self, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Run a use case that hashes a password, in a turn of the admission."""
        return await in_time(asyncio.wrap_future(self._hashing.submit(in_context(work, *args, **kwargs))))

    async def run(self, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Run any other use case."""
        return await in_time(asyncio.wrap_future(self._other.submit(in_context(work, *args, **kwargs))))

    def close(self) -> None:
        self._hashing.shutdown()
        self._other.shutdown()


def in_context(
    work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Callable[[], Result]:
    """The work, to be run in a copy of the caller's context."""
    context = copy_context()
    if traces.are_on():
        name = getattr(work, "__name__", "work")
        return lambda: context.run(lambda: traces.spanned(name, work, *args, **kwargs))
    return lambda: context.run(work, *args, **kwargs)


async def in_time(result: "asyncio.Future[Result]") -> Result:
    """Wait for what a thread does, at the latest until the deadline of the request; raises Unavailable then.

    Work that has not begun by then does not begin. Work that waits for something that cannot be ended, such as a disk
    that does not answer, goes on.
    """
    left = remaining()
    if left == inf:
        return await result
    try:
        async with asyncio.timeout(max(0, left) + LAST_RESORT) as bound:
            return await result
    except TimeoutError:
        if not bound.expired():
            raise
        raise too_late() from None

"""The thread hop between the asynchronous gateway and the synchronous domain; it never cancels work that has begun."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Threads:
    """Two pools, so that use cases that hash do not block the threads of everything else."""

    def __init__(self, *, hashing: int, other: int = 8) -> None:
        self._hashing = ThreadPoolExecutor(hashing, thread_name_prefix="sign-up")
        self._other = ThreadPoolExecutor(other, thread_name_prefix="work")

    async def run_hashing(
        self, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Run a use case that hashes a password; the admission holds its place already."""
        return await result_of(self._hashing.submit(work, *args, **kwargs))

    async def run(self, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Run any other use case."""
        return await result_of(self._other.submit(work, *args, **kwargs))

    def close(self) -> None:
        self._hashing.shutdown()
        self._other.shutdown()


async def result_of(future: "Future[Result]") -> Result:
    """What other threads make of a future that nobody cancels; a third of the price of asyncio.wrap_future."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def wake() -> None:
        if not done.done():
            done.set_result(None)

    def tell(_future: "Future[Result]") -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(wake)

    future.add_done_callback(tell)
    await done
    return future.result()

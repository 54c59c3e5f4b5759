"""The thread hop between the asynchronous gateway and the synchronous domain."""

from asyncio import wrap_future
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from graphql_api.server.admission import require_turn

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Threads:
    """Two pools, so that use cases that hash do not block the threads of everything else."""

    def __init__(self, *, hashing: int, other: int = 8) -> None:
        self._hashing = ThreadPoolExecutor(hashing, thread_name_prefix="hashing")
        self._other = ThreadPoolExecutor(other, thread_name_prefix="work")

    async def run_hashing(
        self, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Run a use case that hashes a password, in a turn of the admission; raises HashWithoutTurn outside of one."""
        require_turn()
        return await wrap_future(self._hashing.submit(work, *args, **kwargs))

    async def run(self, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Run any other use case."""
        return await wrap_future(self._other.submit(work, *args, **kwargs))

    def close(self) -> None:
        self._hashing.shutdown()
        self._other.shutdown()

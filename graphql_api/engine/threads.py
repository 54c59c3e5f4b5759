"""The thread hop between the asynchronous gateway and the synchronous domain."""

from asyncio import wrap_future
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from graphql_api.server.admission import HAS_TURN

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class HashWithoutTurn(Exception):
    """A bug: an operation hashes a password, and its resolver is not marked with `hashes`."""


def require_turn() -> None:
    """Raises HashWithoutTurn outside of a turn of the admission."""
    if not HAS_TURN.get():
        raise HashWithoutTurn("mark the resolver with @hashes, so that it waits for a hash slot")


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

"""Polls the database for facts that requests wait for: one query for all waiters of a process, none without waiters."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Mapping
from contextvars import Context
from typing import Generic, TypeVar

import structlog

from registration.storage.database import Unavailable

Key = TypeVar("Key", bound=Hashable)
Fact = TypeVar("Fact")

PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Watch(Generic[Key, Fact]):
    """Belongs to one event loop. `look` returns the facts that are there by now for some of the keys."""

    def __init__(
        self, look: Callable[[Collection[Key]], Awaitable[Mapping[Key, Fact]]], pause: float = PAUSE_SECONDS
    ) -> None:
        self._look = look
        self._pause = pause
        self._waiting: dict[Key, set[asyncio.Future[Fact]]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def fact_about(self, key: Key) -> Fact:
        """Wait for the fact about a key, however long that takes."""
        waiting: asyncio.Future[Fact] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, set()).add(waiting)
        if self._looking is None:
            # In a context of its own: it outlives the request that begins it, and the deadline of that.
            self._looking = asyncio.create_task(self._look_again_and_again(), context=Context())
        try:
            return await waiting
        finally:
            self._waiting[key].discard(waiting)
            if not self._waiting[key]:
                del self._waiting[key]

    def close(self) -> None:
        if self._looking:
            self._looking.cancel()

    async def _look_again_and_again(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(self._pause)
                if self._waiting:
                    await self._look_once()
        except Exception as bug:  # each wait reports it, and the next one looks anew
            for waiting in self._unanswered(self._waiting):
                waiting.set_exception(bug)
        finally:
            self._looking = None

    async def _look_once(self) -> None:
        try:
            facts = await self._look(list(self._waiting))
        except Unavailable as outage:
            log.warning("cannot look for what pages wait for", reason=str(outage))
            return
        for key, fact in facts.items():
            for waiting in self._unanswered([key]):
                waiting.set_result(fact)

    def _unanswered(self, keys: Iterable[Key]) -> list[asyncio.Future[Fact]]:
        return [waiting for key in keys for waiting in self._waiting.get(key, ()) if not waiting.done()]

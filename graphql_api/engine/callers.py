"""The callers of requests: access tokens that come while others are looked up share the next look-up."""

import asyncio
from collections.abc import Sequence
from contextvars import Context
from copy import copy
from dataclasses import dataclass, field

from graphql_api.engine.threads import Threads, in_time
from registration.services import Services
from registration.sessions.access_tokens import BadToken, Caller, authenticate_all
from registration.storage import deadline
from registration.storage.database import Unavailable
from registration.tracing import traces

MAX_BATCH = 32
"""At most this many tokens share a statement."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits to know its caller."""

    token: str = field(repr=False)
    caller: "asyncio.Future[Caller | BadToken]"
    deadline: float


class Callers:
    """Authenticates access tokens, one group after the other; belongs to one event loop.

    Threads that each read one customer would take the interpreter from each other and from the event loop.
    """

    def __init__(self, services: Services, threads: Threads) -> None:
        self._services = services
        self._threads = threads
        self._waiting: list[Waiting] = []
        self._reading: asyncio.Task[None] | None = None

    async def authenticate(self, token: str) -> Caller | BadToken:
        """The caller of the current request, with this token. Raises Unavailable."""
        loop = asyncio.get_running_loop()
        waiting = Waiting(token, loop.create_future(), deadline.current())
        self._waiting.append(waiting)
        if self._reading is None:
            # In a context of its own: a group has neither the deadline nor the correlation id of one request.
            self._reading = loop.create_task(self._read(), context=Context())
        with traces.span("authenticate"):
            return await in_time(waiting.caller)

    async def _read(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            await self._read_group(group)
        self._reading = None

    async def _read_group(self, group: Sequence[Waiting]) -> None:
        tokens = [each.token for each in group]
        try:
            with deadline.until(max(each.deadline for each in group)):
                callers = await self._threads.run(authenticate_all, self._services, tokens)
        except Exception as error:
            if len(group) > 1 and not isinstance(error, Unavailable):
                for each in group:  # one of them is at fault, and must not fail the others
                    await self._read_group([each])
                return
            for each in group:
                if not each.caller.done():
                    each.caller.set_exception(copy(error))  # raising an exception again adds to its traceback
        else:
            for each, caller in zip(group, callers, strict=True):
                if not each.caller.done():
                    each.caller.set_result(caller)

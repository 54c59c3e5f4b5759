"""Probes for orchestrators: whether the process lives (/healthz), and whether it can serve (/readyz)."""

import asyncio
import time
from collections.abc import Callable
from math import inf

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from graphql_api.engine.threads import Threads
from registration.keys.agreement import keys_of_node
from registration.readiness import NotReady, obstacle
from registration.services import Services
from registration.storage.database import Unavailable
from registration.storage.deadline import within

NO_STORE = {"Cache-Control": "no-store"}
LONGEST = 2.0
"""Seconds that a probe may take."""

KEPT = 1.0
"""Seconds that "ready" counts: a probe writes, and any client may ask."""

log = structlog.get_logger(__name__)


class Readiness:
    """One look answers every probe that comes meanwhile; "ready" counts for `KEPT` seconds.

    `clock` counts seconds.
    """

    def __init__(
        self, look: Callable[[], NotReady | None], threads: Threads, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look = look
        self._threads = threads
        self._clock = clock
        self._looking: asyncio.Task[NotReady | None] | None = None
        self._found: NotReady | None = None
        self._ready_until = -inf

    async def obstacle(self) -> NotReady | None:
        """Why this node cannot serve; None when it can."""
        if self._clock() < self._ready_until:
            return None
        if self._looking is None:
            self._looking = asyncio.create_task(self._try())
        return await asyncio.shield(self._looking)

    async def _try(self) -> NotReady | None:
        try:
            with within(LONGEST):
                found = await self._threads.run(self._look)
        except Unavailable as error:
            found = NotReady(error.outage, str(error))
        finally:
            self._looking = None
        self._note(found)
        return found

    def _note(self, found: NotReady | None) -> None:
        if found is None:
            self._ready_until = self._clock() + KEPT
        if found and found != self._found:
            log.warning("not ready", status=found.status, reason=found.reason)
        self._found = found


def routes(services: Services, threads: Threads) -> list[Route]:
    def look() -> NotReady | None:
        return obstacle(services.database, keys_of_node(services.secret, services.signing_keys))

    readiness = Readiness(look, threads)

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "alive"}, headers=NO_STORE)

    async def readyz(_request: Request) -> Response:
        found = await readiness.obstacle()
        if found:
            return JSONResponse({"status": found.status}, 503, NO_STORE)
        return JSONResponse({"status": "ready"}, headers=NO_STORE)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]

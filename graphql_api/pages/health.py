"""Probes for orchestrators: whether the process lives (/healthz), and whether it can serve (/readyz)."""

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from graphql_api.engine.threads import Threads
from registration.storage.database import Database, Unavailable
from registration.storage.revision import is_current, newest

NO_STORE = {"Cache-Control": "no-store"}

log = structlog.get_logger(__name__)


def routes(database: Database, threads: Threads) -> list[Route]:
    revision = newest()

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "alive"}, headers=NO_STORE)

    async def readyz(_request: Request) -> Response:
        try:
            current = await threads.run(database.read, lambda connection: is_current(connection, revision))
        except Unavailable as error:
            log.warning("not ready", reason=str(error))
            return JSONResponse({"status": error.outage}, 503, NO_STORE)
        if not current:
            return JSONResponse({"status": "migrations missing"}, 503, NO_STORE)
        return JSONResponse({"status": "ready"}, headers=NO_STORE)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]

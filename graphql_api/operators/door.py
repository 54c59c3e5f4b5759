"""The door of the operator schema: without a good token no request gets further, whatever it asks."""

from collections.abc import Awaitable, Callable
from math import ceil

import structlog
from cachetools import TTLCache
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from graphql_api.engine.context import bearer_token
from graphql_api.engine.errors import ErrorCode, public_error
from registration.limits.payers import client_of
from registration.notes import note
from registration.support.tokens import Bearer

MOST_WRONG = 10
"""Wrong tokens of one client, before its tokens are not looked at for WAIT seconds."""

WAIT = 900
CLIENTS = 1024
BEARER = "gateway.operator"
"""The member of a scope that holds the Bearer."""

log = structlog.get_logger(__name__)


class TokenDoor:
    """Lets requests with a good token through to `app`; belongs to one event loop. `clock` counts seconds."""

    def __init__(
        self,
        app: ASGIApp,
        bearer_of: Callable[[str], Awaitable[Bearer | None]],
        ip_of: Callable[[Request], str],
        clock: Callable[[], float],
    ) -> None:
        self._app = app
        self._bearer_of = bearer_of
        self._ip_of = ip_of
        self._clock = clock
        # In memory: 256 random bits are not guessed, so this spares the database, and no more.
        self._wrong: TTLCache[str, tuple[int, float]] = TTLCache(CLIENTS, WAIT, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        client = client_of(self._ip_of(request))
        wrong, until = self._wrong.get(client, (0, 0.0))
        if wrong >= MOST_WRONG:
            seconds = max(1, ceil(until - self._clock()))
            refusal = _refusal(429, f"Too many wrong tokens: try again in {seconds} s.", {"Retry-After": str(seconds)})
            await refusal(scope, receive, send)
            return
        token = bearer_token(request.headers.get("authorization"))
        bearer = await self._bearer_of(token) if token else None
        if bearer is None:
            if token:
                self._wrong[client] = (wrong + 1, self._clock() + WAIT)
                log.warning("operator token refused", number=wrong + 1)
            await _refusal(401, "A good token of an operator is needed.", {})(scope, receive, send)
            return
        note(operator=bearer.operator.name)
        scope[BEARER] = bearer
        await self._app(scope, receive, send)


def _refusal(status: int, message: str, headers: dict[str, str]) -> Response:
    body = {"errors": [public_error(ErrorCode.UNAUTHENTICATED, message)]}
    note(outcome=ErrorCode.UNAUTHENTICATED.value)
    return JSONResponse(body, status, {"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"} | headers)

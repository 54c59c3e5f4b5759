"""The door of the operator schema: without a good token no request gets further, whatever it asks."""

from collections.abc import Awaitable, Callable
from math import ceil

import structlog
from cachetools import TTLCache
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from graphql_api.engine.context import bearer_token
from graphql_api.engine.errors import UNAVAILABLE, UNAVAILABLE_RETRY_AFTER, ErrorCode, public_error
from registration.limits.payers import client_of
from registration.notes import current_correlation_id, note
from registration.storage.outages import Unavailable
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
        try:
            bearer = await self._bearer_of(token) if token else None
        except Unavailable as error:
            log.error("database unavailable", reason=str(error))
            await _unavailable()(scope, receive, send)
            return
        if bearer is None:
            if token:
                self._count(client)
            await _refusal(401, "A good token of an operator is needed.", {})(scope, receive, send)
            return
        note(operator=bearer.operator.name)
        scope[BEARER] = bearer
        await self._app(scope, receive, send)

    def _count(self, client: str) -> None:
        """Count a wrong token. The count is read now: other tokens of the client were looked up meanwhile."""
        wrong = self._wrong.get(client, (0, 0.0))[0] + 1
        self._wrong[client] = (wrong, self._clock() + WAIT)
        log.warning("operator token refused", number=wrong)


def _refusal(status: int, message: str, headers: dict[str, str]) -> Response:
    body = {"errors": [public_error(ErrorCode.UNAUTHENTICATED, message)]}
    note(outcome=ErrorCode.UNAUTHENTICATED.value)
    return JSONResponse(body, status, {"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"} | headers)


def _unavailable() -> Response:
    note(outcome=ErrorCode.UNAVAILABLE.value)
    error = public_error(ErrorCode.UNAVAILABLE, UNAVAILABLE, correlationId=current_correlation_id())
    headers = {"Retry-After": str(UNAVAILABLE_RETRY_AFTER), "Cache-Control": "no-store"}
    return JSONResponse({"errors": [error]}, 503, headers)

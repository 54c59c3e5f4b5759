"""A layer around the routes: each request gets a correlation id, a deadline, a log line and a place in the metrics."""

import time
from collections.abc import Callable, Mapping
from functools import cache
from math import inf
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graphql_api.engine.errors import UNAVAILABLE_RETRY_AFTER, ErrorCode
from graphql_api.http.client_ip import ClientIps
from graphql_api.server.throttle import Throttle
from registration import metrics
from registration.hashing.passwords import MAY_HASH
from registration.notes import CORRELATION_ID, begin_notes
from registration.storage.database import Unavailable
from registration.storage.deadline import begin
from registration.tracing import traces

REFUSAL_PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)


class RequestLog:
    """Logs the template of the route instead of path and query, which can hold tokens and addresses.

    A request ends at most `longest` seconds after its body is there: until then it waits for a client, not for us.
    Without `client_ips` the log names no network of clients. `clock` counts seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        longest: float = inf,
        client_ips: ClientIps | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._client_ips = client_ips
        self._longest = longest
        self._clock = clock
        # In a flood a line of each refusal would cost as much as its answer.
        self._refusals = Throttle(REFUSAL_PAUSE_SECONDS, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif traces.are_on():
            with traces.span("HTTP", kind="server", parent=self._parent_of(Request(scope))):
                await self._serve(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    def _parent_of(self, request: Request) -> str | None:
        """The span that a trusted proxy names; a stranger could join any trace, and have it sampled."""
        is_believed = self._client_ips is not None and self._client_ips.is_behind_proxy(request)
        return request.headers.get("traceparent") if is_believed else None

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        notes = begin_notes()
        correlation_id: str = notes[CORRELATION_ID]
        begin(self._longest)
        MAY_HASH.set(False)  # until the admission gives it a turn
        started = self._clock()
        status = 0

        async def receive_and_begin() -> Message:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                begin(self._longest)
            return message

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-correlation-id", correlation_id.encode()))
            await send(message)

        try:
            await self._app(scope, receive_and_begin, send_and_note)
        except Exception as error:
            response = _fault(error, correlation_id)
            if status:  # the response has begun: the server can only cut it off
                raise
            await response(scope, receive, send_and_note)
        finally:
            self._note(scope, notes, status, self._clock() - started)

    def _note(self, scope: Scope, known: Mapping[str, Any], status: int, seconds: float) -> None:
        """Count and log a request; without an operation and an outcome its route and its status stand for them."""
        route = getattr(scope.get("route"), "path", "-")
        operation, outcome = known.get("operation", route), known.get("outcome", str(status))
        traces.tell(
            f"HTTP {route}",
            operation=operation,
            outcome=outcome,
            status=status,
            correlation_id=known[CORRELATION_ID],
        )
        _seconds_of(operation).observe(seconds)
        _number_of(operation, outcome).inc()
        refused: Mapping[str, int] = {}
        if outcome == ErrorCode.OVERLOADED:
            number = self._refusals.count()
            if not number:
                return
            refused = {"refused": number}
        log.info(
            "request",
            method=scope["method"],
            route=route,
            status=status,
            client=self._client_ips.network_of(Request(scope)) if self._client_ips else "",
            seconds=round(seconds, 4),
            operation=operation,
            outcome=outcome,
            **refused,
        )


# The values of labels are bounded; the library looks for a child under a lock each time.
_seconds_of = cache(metrics.REQUEST_SECONDS.labels)
_number_of = cache(metrics.OPERATIONS.labels)


def _fault(error: Exception, correlation_id: str) -> Response:
    if isinstance(error, Unavailable):
        log.error("database unavailable", reason=str(error))
        text = f"The service is not available right now. Correlation id: {correlation_id}"
        return PlainTextResponse(text, 503, {"Retry-After": str(UNAVAILABLE_RETRY_AFTER)})
    log.error("fault", exc_info=error)
    return PlainTextResponse("Internal Server Error", 500)  # the text of the wire contract; a header has the id

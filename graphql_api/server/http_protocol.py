"""HTTP/1.1 on one connection: uvicorn's protocol with the bounds that it lacks."""

import asyncio
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from graphql_api.server import request_head
from graphql_api.server.answer_transport import AnswerTransport
from graphql_api.server.connections import PROBES, ConnectionLimits, Connections, Unread
from graphql_api.server.request_head import URL_LIMIT, EarlyAnswer, HeadState, refusal_of, without_upgrade
from graphql_api.server.response_headers import early_answer


class HeadRefused(Exception):
    """Stops the parser at a request that is not served."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Bounds the head, the time and the number of requests on a connection; ignores Upgrade (RFC 9110, 7.8).

    A connection that is surplus in `connections` serves one probe or preflight, or answers 503.

    uvicorn by itself collects a head of any size in quadratic time, waits for a request without end, queues pipelined
    requests without bound, and reports a disconnect only to the last of them. It also takes the body of a request
    with Upgrade, which Java's client and `curl --http2` send, for another protocol.
    """

    head_limit = 64 * 1024
    """Bytes of request line and headers that may wait for their end; a head that arrives in one read may be longer."""

    request_seconds = 30.0
    """From the connection, or from the first byte of a later request, to the last byte of the body."""

    surplus_seconds = 3.0
    """The same for a connection that is surplus."""

    unread_seconds = 10.0
    """How long a client may read nothing of an answer that waits for it."""

    last_call_seconds = 0.5
    """How long a connection without a request stays open when this process stops: one may be on its way."""

    pipeline_limit = 32
    """Requests of one connection that may wait for responses to earlier ones."""

    url = b""
    _deadline: asyncio.TimerHandle | None = None
    _is_all_there = False
    """Whether the last read ended the last request."""
    _running: RequestResponseCycle | None = None
    _is_surplus = False
    _closes_after_body = False
    _closing: asyncio.Event | None = None
    _held: EarlyAnswer | None = None
    """A refusal that waits for the answers to earlier requests."""

    def __init__(self, *args: Any, connections: Connections | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections = connections or Connections(ConnectionLimits())
        self._unread = Unread(self.unread_seconds)
        self._head = HeadState()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._is_surplus = not self._connections.enter(self, self.client[0] if self.client else "")
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.leave(self)
        self._end_deadline()
        if self._running and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._held:
            return
        head, self._is_all_there = self._head, False
        try:
            self._feed(data)
        except (HttpParserError, HeadRefused):
            if self._closes_after_body:
                self.transport.close()
            elif len(self.pipeline) > self.pipeline_limit:
                self.transport.abort()
            elif self._head.refusal:
                self._refuse(self._head.refusal)
            else:
                self.logger.warning("Invalid HTTP request received.")
                self.send_400_response("Invalid HTTP request received.")
            return
        if not self._is_all_there:
            self._start_deadline()
        if head.is_open and head is self._head:
            head.size += len(data)
            if head.size > self.head_limit and not self._is_url_too_long():
                self._refuse(request_head.TOO_LARGE)

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as stop:
            # The parser stops at the end of the head: a new one reads the request without its Upgrade header.
            if self.parser.get_method() == b"CONNECT":  # no HTTP follows, and we are not a proxy
                self._head.refusal = request_head.CONNECT
                raise HeadRefused from None
            (end_of_head,) = stop.args
            head = without_upgrade(self.parser.get_method(), self.url, self.parser.get_http_version(), self.headers)
            self.parser = HttpRequestParser(self)
            self._feed(head + data[end_of_head:])

    def on_message_begin(self) -> None:
        self._head, self._is_all_there = HeadState(is_open=True), False
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._is_url_too_long():
            super().on_url(url)
            return
        self._head.url_dropped += len(url)
        # It may have no end; else the answer waits for the headers, to name the origin. The rest is read and dropped,
        # so that the client reads the answer.
        if self._head.url_dropped > URL_LIMIT:
            self._write(request_head.URL_TOO_LONG)

    def _is_url_too_long(self) -> bool:
        return len(self.url) > URL_LIMIT

    def send_400_response(self, msg: str) -> None:
        is_too_long = self._is_url_too_long()
        self._refuse(request_head.URL_TOO_LONG if is_too_long else EarlyAnswer(b"400 Bad Request", msg))

    def _refuse(self, refusal: EarlyAnswer) -> None:
        self._write(refusal)
        if not self._held:
            self.transport.close()

    def _write(self, refusal: EarlyAnswer) -> None:
        """Answer the request that came last, once, after those before it (RFC 9112, 9.3.2)."""
        head, running = self._head, self._running
        refused = self.cycle if head.has_open_body else None
        if running and running is not refused and not running.response_complete:
            self._held = refusal
            self._end_deadline()
            self.flow.resume_reading()  # what is left unread resets the connection
            if refused:
                self.pipeline.popleft()
        elif not head.is_refused and not (refused and refused.response_started):
            head.is_refused = True
            of_request = [*self.scope["headers"]] if self.scope else []
            self.transport.write(early_answer(refusal, self.app, of_request, self.server_state.default_headers))

    def on_headers_complete(self) -> None:
        if self._closes_after_body or self._is_url_too_long():
            raise HeadRefused
        head = self._head
        head.refusal = refusal_of(self.url, self.headers, self.parser.get_http_version())
        if self._is_surplus and not self._is_cheap():
            head.refusal = head.refusal or request_head.BUSY
        if head.refusal:
            raise HeadRefused
        head.is_open, head.wants_upgrade = False, self.parser.should_upgrade()
        if head.wants_upgrade:
            return
        super().on_headers_complete()
        head.has_open_body = True
        self.headers = request_head.DROPPED  # type: ignore[assignment]
        if self._is_surplus or self.closing().is_set():
            self.cycle.keep_alive = False
        if len(self.pipeline) > self.pipeline_limit:
            raise InterruptedError  # stops the parser before it reads the rest

    def _is_cheap(self) -> bool:
        """Whether it is a probe, or a preflight, without which a page could not read the refusal of its request."""
        is_preflight = any(name == b"access-control-request-method" for name, _ in self.headers)
        return (is_preflight and self.parser.get_method() == b"OPTIONS") or self.url.partition(b"?")[0] in PROBES

    def on_message_complete(self) -> None:
        self._head.has_open_body = False
        if self._head.wants_upgrade:
            return
        if self._closes_after_body:
            self.transport.close()
            return
        if not self.cycle.response_complete:  # else only the deadline ends the connection
            self._is_all_there = True
            self._end_deadline()
            self._connections.works(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._held and not self.transport.is_closing() and self._running and self._running.response_complete:
            refusal, self._held = self._held, None
            self._refuse(refusal)
        elif self.cycle.response_complete:
            self._connections.waits(self)

    def shutdown(self) -> None:
        self.closing().set()
        is_waiting = self.cycle is None or self.cycle.response_complete
        self.loop.call_later(self.last_call_seconds if is_waiting else 0, super().shutdown)

    def closing(self) -> asyncio.Event:
        """Set when this process stops: for responses that would go on."""
        self._closing = self._closing or asyncio.Event()
        return self._closing

    def resume_writing(self) -> None:
        self._unread.has_read = True
        super().resume_writing()

    def is_stalled(self, now: float) -> bool:
        return self._unread.is_too_long(self.transport.get_write_buffer_size(), now)

    def abort(self) -> None:
        self.transport.abort()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle  # uvicorn remembers only the cycle that arrived last
        cycle.transport = AnswerTransport(self.transport, self._close_after_body)  # type: ignore[assignment]
        cycle.scope["gateway.closing"] = self.closing  # type: ignore[typeddict-unknown-key]
        super()._start_asgi_task(cycle, app)

    def _close_after_body(self) -> None:
        """Until then the deadline ends the connection. Requests behind this one are not served."""
        if self._running and self._running.more_body:
            self._closes_after_body = True
        else:
            self.transport.close()

    def _start_deadline(self) -> None:
        if self._deadline is None and not self._held:
            seconds = self.surplus_seconds if self._is_surplus else self.request_seconds
            self._deadline = self.loop.call_later(seconds, self.transport.close)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

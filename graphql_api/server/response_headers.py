"""The security headers of all responses, and the answers that the HTTP protocol gives before a request exists."""

from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graphql_api.server.request_head import EarlyAnswer

RawHeaders = Sequence[tuple[bytes, bytes]]

SECURITY_HEADERS: RawHeaders = (
    (b"x-content-type-options", b"nosniff"),
    # Responses other than pages load nothing and are shown in no frame (OWASP REST Security Cheat Sheet).
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)


def security_headers(strict_transport_seconds: int) -> RawHeaders:
    """With 0 seconds browsers are not told to come by https only (RFC 6797)."""
    if not strict_transport_seconds:
        return SECURITY_HEADERS
    return (*SECURITY_HEADERS, (b"strict-transport-security", b"max-age=%d" % strict_transport_seconds))


def no_headers(_origin: bytes) -> RawHeaders:
    return ()


class SecurityHeaders:
    """The outermost layer. A header that a response has by itself, like the policy of a page, stays as it is.

    `headers_for_origin` says what lets pages of an origin read an answer that no layer below gives.
    """

    def __init__(
        self,
        app: ASGIApp,
        headers: RawHeaders = SECURITY_HEADERS,
        headers_for_origin: Callable[[bytes], RawHeaders] = no_headers,
    ) -> None:
        self._app = app
        self.headers = tuple(headers)
        self._headers_for_origin = headers_for_origin

    def of_early_answer(self, request_headers: RawHeaders) -> RawHeaders:
        """The headers of an answer to a request of which no more than these headers, in lower case, was read."""
        origins = [value for name, value in request_headers if name == b"origin"]
        return (*self.headers, *(self._headers_for_origin(origins[0]) if origins else ()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = dict(message["headers"])
                message["headers"] += [header for header in self.headers if header[0] not in present]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def early_answer(answer: EarlyAnswer, app: ASGIApp, request_headers: RawHeaders, default_headers: RawHeaders) -> bytes:
    """The bytes of a refusal, with the headers that `app` gives all answers and those that the server does."""
    outermost = app if isinstance(app, SecurityHeaders) else SecurityHeaders(app)
    headers = (*answer.headers, *default_headers, *outermost.of_early_answer(request_headers))
    text = answer.text.encode()
    head = [
        b"HTTP/1.1 " + answer.status,
        b"content-type: text/plain; charset=utf-8",
        b"content-length: %d" % len(text),
        b"connection: close",
        *(name + b": " + value for name, value in headers),
    ]
    return b"\r\n".join([*head, b"", text])

"""Cross-origin requests (the Fetch standard): which pages in browsers may call this service and read its answers."""

from collections.abc import Collection, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_AGE_SECONDS = 7200
"""How long a browser may keep the answer to a preflight; Chromium keeps none for longer."""

READABLE_HEADERS = ("Retry-After", "X-Correlation-Id", "WWW-Authenticate", "Content-Language", "Location")
"""What a page may read of an answer, besides the headers that it always may."""

LOOPBACK = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?"


class Cors(CORSMiddleware):
    """Lets pages of `origins` read every answer, errors and faults too; with `loopback` also those of this machine.

    Preflights for `own_paths` are answered here. Those for all other paths are the shim's, whose contract says what
    they ask for (contract 2.7); they get the origin and the time to keep them. With `credentials` pages may send
    cookies.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        origins: Collection[str],
        loopback: bool,
        own_paths: Collection[str],
        credentials: bool = False,
    ) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_origin_regex=LOOPBACK if loopback else None,
            allow_methods=("GET", "POST"),
            # Clients add headers of their own (x-apollo-operation-name). None of them is dangerous: these origins are
            # trusted, and others get no leave for any.
            allow_headers=("*",),
            expose_headers=READABLE_HEADERS,
            allow_credentials=credentials,
            max_age=MAX_AGE_SECONDS,
        )
        self._own_paths = own_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "OPTIONS" and scope["path"] not in self._own_paths:
            await self.simple_response(scope, receive, send, request_headers=Headers(scope=scope))
        else:
            await super().__call__(scope, receive, send)

    def headers_for(self, origin: bytes) -> Sequence[tuple[bytes, bytes]]:
        """What lets a page of this origin read an answer that was given before there was a request."""
        name, headers = origin.decode("latin-1"), MutableHeaders(self.simple_headers)
        if self.is_allowed_origin(origin=name):
            self.allow_explicit_origin(headers, name)
        return headers.raw

    async def send(self, message: Message, send: Send, request_headers: Headers) -> None:
        if message["type"] == "http.response.start" and "access-control-request-method" in request_headers:
            headers = MutableHeaders(scope=message)
            headers["Access-Control-Max-Age"] = str(MAX_AGE_SECONDS)
        await super().send(message, send, request_headers)

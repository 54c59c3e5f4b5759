"""The transport that a response is written to; its `close` waits for the rest of the request."""

import asyncio
from collections.abc import Callable


class AnswerTransport:
    """Writes to a transport, and leaves its end to `close`, which waits for the rest of the request.

    A connection that is closed before that is reset by the kernel, and the client may lose the answer (RFC 9112, 9.6).
    """

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close

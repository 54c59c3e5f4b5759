"""A client that sends bytes and reads what comes back."""

import re
import socket
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse

from fuzz.requests import Request

PATIENCE = 60.0
"""Seconds without a byte until an answer counts as hanging. The gateway gives a request 30 seconds to arrive."""
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
CODE = re.compile(rb'"(?:code|status|__typename)":"?([A-Za-z_0-9]+)')


@dataclass(frozen=True, slots=True)
class Answer:
    """Statuses and codes of what came back. `fault` says why there was no answer where one was due."""

    statuses: tuple[int, ...]
    codes: frozenset[str] = frozenset()
    fault: str | None = None
    body: bytes = field(default=b"", repr=False)

    @property
    def signature(self) -> str:
        """Answers that differ in it came by different ways through the gateway."""
        return f"{self.statuses} {' '.join(sorted(self.codes))}"


class Client:
    """One connection, kept open; for one thread."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def ask(self, request: Request) -> Answer:
        if not request.is_http:
            return self._talk(request.content)
        was_open = self._socket is not None
        answer = self._asked(request)
        # The server may close a connection while it is idle.
        return self._asked(request) if answer.fault == "closed" and was_open else answer

    def close(self) -> None:
        if self._socket:
            self._socket.close()
        self._socket = None

    def _asked(self, request: Request) -> Answer:
        connection = self._socket = self._socket or self._opened()
        try:
            connection.sendall(request.content)
            response = HTTPResponse(connection, method="HEAD" if request.is_head else "GET")
            response.begin()
            body = response.read()
        except TimeoutError:
            self.close()
            return Answer((), fault="hangs")
        except (OSError, HTTPException):
            self.close()
            return Answer((), fault="closed")
        if response.will_close:
            self.close()
        return _answer((response.status,), body)

    def _talk(self, content: bytes) -> Answer:
        """Send on a connection of its own, close our half of it, and read until the server closes the other."""
        received = b""
        with self._opened() as connection:
            try:
                connection.sendall(content)
                connection.shutdown(socket.SHUT_WR)
                while read := connection.recv(65_536):
                    received += read
            except TimeoutError:
                return Answer((), fault="hangs")
            except OSError:  # the server has hung up, as it may on bytes that are no HTTP
                pass
        return _answer(tuple(int(status) for status in STATUS.findall(received)), received)

    def _opened(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def _answer(statuses: tuple[int, ...], body: bytes) -> Answer:
    return Answer(statuses, frozenset(code.decode() for code in CODE.findall(body)), body=body)

"""HTTP as hostile and as old clients speak it, on a real socket."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from graphql_api.server.http_protocol import BoundedHttpProtocol
from harness.ports import HOST
from tests.waiting import PATIENCE, eventually

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"


class Hasty(BoundedHttpProtocol):
    request_seconds = 0.2


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body; /early before the body has come, and /late after more than a connection is kept alive."""
    if scope["path"] == "/late":
        await asyncio.sleep(1.5)
    body = b"" if scope["path"] == "/early" else await Request(scope, receive).body()
    await PlainTextResponse(body)(scope, receive, send)


@contextmanager
def serving(protocol: type[BoundedHttpProtocol], application: Any = echo) -> Iterator[tuple[str, int]]:
    options: dict[str, Any] = {"loop": "uvloop", "lifespan": "off", "log_config": None, "proxy_headers": False}
    config = uvicorn.Config(application, http=protocol, timeout_keep_alive=1, timeout_graceful_shutdown=5, **options)
    server = uvicorn.Server(config)
    with socket.create_server((HOST, 0)) as listener:
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def patient() -> Iterator[tuple[str, int]]:
    with serving(BoundedHttpProtocol) as address:
        yield address


@pytest.fixture(scope="module")
def hasty() -> Iterator[tuple[str, int]]:
    with serving(Hasty) as address:
        yield address


def talk(address: tuple[str, int], *parts: bytes, until: bytes = b"") -> bytes:
    """Send the parts apart from each other; everything that comes back until the words or the end of the connection."""
    answer = b""
    with socket.create_connection(address, timeout=PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.sendall(part)
            time.sleep(0.05)
        while not (until and answer.endswith(until)) and (read := connection.recv(65536)):
            answer += read
    return answer


class TestUpgrade:
    """Java's client and `curl --http2` ask for HTTP/2 in this way, and take an answer in HTTP/1.1."""

    UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n\r\n"

    @pytest.mark.parametrize("parts", [(HEAD + UPGRADE + b"hello",), (HEAD + UPGRADE, b"hello")])
    def test_does_not_lose_the_body(self, patient: tuple[str, int], parts: tuple[bytes, ...]) -> None:
        """Whether it comes with the head or after it."""
        answer = talk(patient, *parts, until=b"hello")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.count(b"HTTP/1.1") == 1

    def test_does_not_make_a_request_of_a_body(self, patient: tuple[str, int]) -> None:
        """Or a client behind a proxy could smuggle one in."""
        inner = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        head = HEAD.replace(b"Length: 5", b"Length: %d" % len(inner))
        answer = talk(patient, head + self.UPGRADE, inner, until=inner)
        assert answer.count(b"HTTP/1.1 200 OK") == 1

    def test_leaves_the_connection_for_more(self, patient: tuple[str, int]) -> None:
        """The next request is read as any other."""
        answer = talk(patient, HEAD + self.UPGRADE + b"hello", HEAD + b"\r\nagain", until=b"again")
        assert answer.count(b"HTTP/1.1 200 OK") == 2

    @pytest.mark.parametrize("target", [b"x:80", b"/graphql"])
    def test_does_not_connect_to_others(self, patient: tuple[str, int], target: bytes) -> None:
        """We are no proxy; and what follows is not looked at."""
        answer = talk(patient, b"CONNECT " + target + b" HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") == 1


class TestHead:
    def test_that_never_ends_is_refused(self, patient: tuple[str, int]) -> None:
        """One header, or many of them."""
        for start, part in ((b"GET / HTTP/1.1\r\nA: ", b"a"), (b"GET / HTTP/1.1\r\n", b"A: a\r\n")):
            answer = talk(patient, start, *[part * (6_000 // len(part))] * 11)
            assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")

    def test_whose_address_never_ends_is_refused(self, patient: tuple[str, int]) -> None:
        """As soon as the address is too long, and once."""
        until = b"65535 bytes."
        answer = talk(patient, b"GET /", *[b"a" * 6_000] * 12, until=until)
        assert answer.startswith(b"HTTP/1.1 414 URI Too Long\r\n")
        assert answer.count(b"HTTP/1.1") == 1

    def test_may_come_in_pieces(self, patient: tuple[str, int]) -> None:
        """The limit counts the bytes of each request anew, and never those of a body."""
        request = (
            HEAD.replace(b": 5", b": 50000"),
            b"A: " + b"a" * 40_000 + b"\r\n",
            b"\r\n",
            b"b" * 49_995 + b"hello",
        )
        answer = talk(patient, *request, *request, until=b"hello")
        assert answer.count(b"HTTP/1.1 200 OK") == 2

    def test_may_begin_in_the_read_that_ended_another(self, patient: tuple[str, int]) -> None:
        """However long the body between them: it belongs to neither head."""
        first, last = HEAD.replace(b": 5", b": 65400") + b"\r\n" + b"b" * 65_400, HEAD + b"\r\nlast!"
        answer = talk(patient, first[:20], first[20:] + last[:30], last[30:], until=b"last!")
        assert answer.count(b"HTTP/1.1 200 OK") == 2

    def test_that_is_none_is_refused(self, patient: tuple[str, int]) -> None:
        """As uvicorn refuses it."""
        assert talk(patient, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")


class TestPipeline:
    REQUEST = HEAD + b"\r\nhello"

    def test_is_answered_in_order(self, patient: tuple[str, int]) -> None:
        """Requests may be sent before the answers to earlier ones have come."""
        answer = talk(patient, *(self.REQUEST * 33, HEAD + b"\r\nlast!"), until=b"last!")
        assert answer.count(b"HTTP/1.1 200 OK") == 34

    def test_has_an_end(self, patient: tuple[str, int]) -> None:
        """A client that sends a thousand at once loses its connection, before they fill the memory."""
        with suppress(ConnectionResetError):
            assert talk(patient, self.REQUEST * 1000).count(b"HTTP/1.1 200 OK") < 1000


async def farewell(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers when the client has gone, and writes down for whom."""
    while (await receive())["type"] != "http.disconnect":
        pass
    await PlainTextResponse("too late")(scope, receive, send)
    scope["app_state"].append(scope["path"])


class TestDeparture:
    def test_is_told_to_the_request_that_is_under_way(self, caplog: pytest.LogCaptureFixture) -> None:
        """Not to the last one that came, which has not begun: the other would work for nobody, and fail to answer."""
        told: list[str] = []

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await farewell({**scope, "app_state": told}, receive, send)

        first, second = HEAD.replace(b"/ ", b"/first "), HEAD.replace(b"/ ", b"/second ")
        with serving(BoundedHttpProtocol, application) as address:
            with socket.create_connection(address, timeout=PATIENCE) as connection:
                connection.sendall(first + b"\r\nhello" + second + b"\r\nhello")
            eventually(lambda: told == ["/first"])
        assert caplog.messages == []


class TestSlowClient:
    @pytest.mark.parametrize(
        "parts",
        [
            pytest.param((), id="nothing"),
            pytest.param((HEAD,), id="half a head"),
            pytest.param((HEAD + b"\r\nhel",), id="half a body"),
            pytest.param((HEAD + b"\r\nhello", b"\r\n"), id="an empty line after the answer"),
            pytest.param((HEAD.replace(b"/ ", b"/early ") + b"\r\n", b"hello"), id="a body after the answer"),
        ],
    )
    def test_does_not_keep_its_connection(self, hasty: tuple[str, int], parts: tuple[bytes, ...]) -> None:
        """However far it came; the server closes, or this would wait for a minute."""
        talk(hasty, *parts)

    def test_may_take_its_time_between_requests(self, hasty: tuple[str, int]) -> None:
        """A connection is kept alive for longer than a request may take."""
        with socket.create_connection(hasty, timeout=PATIENCE) as connection:
            for _ in range(2):
                connection.sendall(HEAD + b"\r\nhello")
                assert connection.recv(65536).endswith(b"hello")
                time.sleep(0.5)

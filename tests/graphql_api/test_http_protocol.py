"""HTTP as hostile and as old clients speak it, on a real socket."""

import asyncio
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from graphql_api.http_protocol import BoundedHttpProtocol
from tests.servers.ports import HOST
from tests.waiting import eventually

PATIENCE = 60  # seconds
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
GUARDED = HEAD.replace(b"/ ", b"/guarded ")
REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 5\r\n\r\nlater"


class Hasty(BoundedHttpProtocol):
    request_seconds = 0.2


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body; /early before the body has come, and /late after more than a connection is kept alive."""
    if scope["path"] == "/late":
        await asyncio.sleep(1.5)
    body = b"" if scope["path"] == "/early" else await Request(scope, receive).body()
    await PlainTextResponse(body)(scope, receive, send)


class Guarded:
    """The same application behind a gate that refuses POST requests whose body says so, when their path says so.

    It knows those again that came at once, and writes down who came in this way and who left.
    """

    def __init__(self) -> None:
        self.gate = self
        self.known: list[bytes] = []
        self.known_again = 0
        self.clients: set[int] = set()
        self.left: set[int] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await echo(scope, receive, send)

    def may_refuse(self, scope: Mapping[str, Any], client: int) -> bool:
        self.clients.add(client)
        return (scope["method"], scope["path"]) == ("POST", "/guarded")

    def refuse(self, _scope: Mapping[str, Any], body: bytes, read: bytes, client: int) -> bytes | None:
        assert client in self.clients
        if body != b"no me":
            return None
        if read.endswith(b"\r\n\r\nno me"):
            self.known.append(read)
        return REFUSAL

    def refuse_known(self, read: bytes, _client: int) -> bytes | None:
        if read not in self.known:
            return None
        self.known_again += 1
        return REFUSAL

    def leave(self, client: int) -> None:
        self.left.add(client)


class Narrow(BoundedHttpProtocol):
    gate_limit = 1000


@contextmanager
def serving(protocol: type[BoundedHttpProtocol], application: Any = echo) -> Iterator[tuple[str, int]]:
    options: dict[str, Any] = {"loop": "uvloop", "lifespan": "off", "log_config": None, "proxy_headers": False}
    config = uvicorn.Config(application, http=protocol, timeout_keep_alive=1, timeout_graceful_shutdown=5, **options)
    server = uvicorn.Server(config)
    with socket.create_server((HOST, 0)) as listener:
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def patient() -> Iterator[tuple[str, int]]:
    with serving(BoundedHttpProtocol) as address:
        yield address


@pytest.fixture(scope="module")
def guard() -> Guarded:
    return Guarded()


@pytest.fixture(scope="module")
def guarded(guard: Guarded) -> Iterator[tuple[str, int]]:
    with serving(Narrow, guard) as address:
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


class TestGate:
    @pytest.mark.parametrize(
        "parts", [(GUARDED + b"\r\nno me",), (GUARDED, b"\r\n", b"no", b" me")], ids=["at once", "in pieces"]
    )
    def test_refuses_without_the_application(self, guarded: tuple[str, int], parts: tuple[bytes, ...]) -> None:
        """When the whole body is there, and not before."""
        assert talk(guarded, *parts, until=b"later") == REFUSAL

    @pytest.mark.parametrize(
        ("request_", "answer"),
        [
            (GUARDED + b"\r\nlet m", b"let m"),
            (HEAD + b"\r\nno me", b"no me"),
            (GUARDED.replace(b": 5", b": 2000") + b"\r\n" + b"x" * 2000, b"x" * 2000),
            (GUARDED.replace(b"POST", b"PUT") + b"\r\nno me", b"no me"),
        ],
        ids=["another body", "another path", "a long body", "another method"],
    )
    def test_lets_by(self, guarded: tuple[str, int], request_: bytes, answer: bytes) -> None:
        """All that it does not refuse reaches the application whole."""
        assert talk(guarded, request_, until=answer).startswith(b"HTTP/1.1 200 OK\r\n")

    def test_keeps_the_connection(self, guarded: tuple[str, int]) -> None:
        """Requests that were sent at once are answered in their order, refused or not."""
        refused, taken = GUARDED + b"\r\nno me", GUARDED + b"\r\nlet m"
        answer = talk(guarded, refused, taken + refused + taken, refused, refused + HEAD + b"\r\nlast!", until=b"last!")
        statuses = re.findall(rb"HTTP/1.1 (\d+)", answer)
        assert statuses == [b"503", b"200", b"503", b"200", b"503", b"503", b"200"]

    def test_does_not_cut_off_who_comes_behind(self, guarded: tuple[str, int]) -> None:
        """In the same read, and answered later than a connection waits for another request."""
        late = HEAD.replace(b"/ ", b"/late ") + b"\r\nhello"
        assert talk(guarded, GUARDED + b"\r\nno me" + late, until=b"hello").endswith(b"hello")

    @pytest.mark.parametrize("head", [GUARDED + b"Connection: close\r\n", GUARDED.replace(b"HTTP/1.1", b"HTTP/1.0")])
    def test_closes_it_when_the_client_wants(self, guarded: tuple[str, int], head: bytes) -> None:
        """And says so."""
        answer = talk(guarded, head + b"\r\nno me")
        assert answer == REFUSAL.replace(b"content-length", b"connection: close\r\ncontent-length")

    def test_does_not_keep_a_client_waiting_who_waits_for_a_sign(self, guarded: tuple[str, int]) -> None:
        """Who asks whether to send the body (Expect: 100-continue) is the application's guest."""
        answer = talk(guarded, GUARDED + b"Expect: 100-continue\r\n\r\n", b"no me", until=b"no me")
        assert answer.startswith(b"HTTP/1.1 100 Continue\r\n")

    def test_knows_again_who_came_at_once(self, guarded: tuple[str, int], guard: Guarded) -> None:
        """On the same connection and on another one; those between are served in their turn."""
        head = GUARDED.replace(b"Host: x", b"Host: again")
        refused, taken = head + b"\r\nno me", head + b"\r\nlet m"
        before = guard.known_again
        answer = talk(guarded, refused, refused, taken, refused, HEAD + b"\r\nlast!", until=b"last!")
        assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"503", b"503", b"200", b"503", b"200"]
        assert talk(guarded, refused, until=b"later") == REFUSAL
        assert guard.known_again == before + 3

    def test_knows_nobody_again_in_the_middle_of_another_request(
        self, guarded: tuple[str, int], guard: Guarded
    ) -> None:
        """What looks like a refused request may be a body, or wait behind one that has no answer yet."""
        refused = GUARDED.replace(b"Host: x", b"Host: middle") + b"\r\nno me"
        assert talk(guarded, refused, until=b"later") == REFUSAL
        before = guard.known_again
        around = HEAD.replace(b": 5", b": %d" % len(refused)) + b"\r\n"
        assert talk(guarded, around, refused, until=refused).endswith(refused)
        early = around.replace(b"/ ", b"/early ")
        assert talk(guarded, early, refused, HEAD + b"\r\nlast!", until=b"last!").count(b"HTTP/1.1 200 OK") == 2
        late = HEAD.replace(b"/ ", b"/late ") + b"\r\nhello"
        answer = talk(guarded, late, refused, until=b"later")
        assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"503"]
        assert guard.known_again == before

    @pytest.mark.parametrize("head", [GUARDED + b"Connection: close\r\n", GUARDED.replace(b"HTTP/1.1", b"HTTP/1.0")])
    def test_knows_nobody_again_who_ends_the_connection(
        self, guarded: tuple[str, int], guard: Guarded, head: bytes
    ) -> None:
        """The answer must say so."""
        before = guard.known_again
        for _ in range(2):
            assert b"connection: close" in talk(guarded, head + b"\r\nno me")
        assert guard.known_again == before

    def test_closes_the_idle_connection_of_who_was_known(self, guarded: tuple[str, int]) -> None:
        """Some time after the last answer, like any other; or this would wait for a minute."""
        refused = GUARDED + b"\r\nno me"
        assert talk(guarded, refused, refused) == REFUSAL * 2

    def test_does_not_fill_the_memory_for_who_does_not_read(self, guarded: tuple[str, int], guard: Guarded) -> None:
        """When answers pile up nothing more is read; a client that goes on sending is cut off."""
        refused = GUARDED + b"\r\nno me"
        assert talk(guarded, refused, until=b"later") == REFUSAL
        with (
            socket.create_connection(guarded, timeout=1) as connection,
            pytest.raises(OSError, match=r"timed out|reset|Broken pipe"),
        ):
            connection.sendall(refused * 1_500_000)

    def test_is_told_who_leaves(self, guarded: tuple[str, int], guard: Guarded) -> None:
        """Whatever became of the request."""
        talk(guarded, GUARDED.replace(b": 5", b": 5\r\nConnection: close") + b"\r\nlet m")
        assert guard.left
        assert guard.left <= guard.clients

    def test_forgets_who_goes_away(self, guarded: tuple[str, int]) -> None:
        """Half a body and no more; the next one is served."""
        with socket.create_connection(guarded, timeout=PATIENCE) as connection:
            connection.sendall(GUARDED + b"\r\nno")
        assert talk(guarded, GUARDED + b"\r\nno me", until=b"later") == REFUSAL


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

"""HTTP/1.1 of hostile and of old clients, on a real socket."""

import asyncio
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from threading import Event, Thread
from typing import Any, cast

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from graphql_api.http.cors import Cors
from graphql_api.server.connections import ConnectionLimits, Connections
from graphql_api.server.http_protocol import BoundedHttpProtocol
from graphql_api.server.response_headers import SECURITY_HEADERS, SecurityHeaders, security_headers
from harness.ports import HOST
from tests.waiting import PATIENCE, eventually

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"


class Hasty(BoundedHttpProtocol):
    request_seconds = 0.2


class Patient(BoundedHttpProtocol):
    last_call_seconds = 30.0


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body; /early before the body has arrived, /soon later, /late after the keep-alive timeout."""
    await asyncio.sleep({"/soon": 0.3, "/late": 1.5}.get(scope["path"], 0))
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
    """Send the parts one after another; the received bytes up to the words or the end of the connection."""
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
    """Java's client and `curl --http2` send Upgrade, and take an answer in HTTP/1.1."""

    UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n\r\n"

    @pytest.mark.parametrize("parts", [(HEAD + UPGRADE + b"hello",), (HEAD + UPGRADE, b"hello")])
    def test_does_not_lose_the_body(self, patient: tuple[str, int], parts: tuple[bytes, ...]) -> None:
        """The body of a request with Upgrade is read, with the head or after it."""
        answer = talk(patient, *parts, until=b"hello")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.count(b"HTTP/1.1") == 1

    def test_does_not_make_a_request_of_a_body(self, patient: tuple[str, int]) -> None:
        """A body that looks like a request is not read as one."""
        inner = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        head = HEAD.replace(b"Length: 5", b"Length: %d" % len(inner))
        answer = talk(patient, head + self.UPGRADE, inner, until=inner)
        assert answer.count(b"HTTP/1.1 200 OK") == 1

    def test_leaves_the_connection_for_more(self, patient: tuple[str, int]) -> None:
        """The next request on the connection is answered."""
        answer = talk(patient, HEAD + self.UPGRADE + b"hello", HEAD + b"\r\nagain", until=b"again")
        assert answer.count(b"HTTP/1.1 200 OK") == 2

    @pytest.mark.parametrize("target", [b"x:80", b"/graphql"])
    def test_does_not_connect_to_others(self, patient: tuple[str, int], target: bytes) -> None:
        """CONNECT is refused, and what follows is not read."""
        answer = talk(patient, b"CONNECT " + target + b" HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") == 1


class TestHead:
    def test_that_never_ends_is_refused(self, patient: tuple[str, int]) -> None:
        """A head without end is refused, in one header or in many."""
        for start, part in ((b"GET / HTTP/1.1\r\nA: ", b"a"), (b"GET / HTTP/1.1\r\n", b"A: a\r\n")):
            answer = talk(patient, start, *[part * (6_000 // len(part))] * 11)
            assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")

    def test_whose_url_never_ends_is_refused(self, patient: tuple[str, int]) -> None:
        """A URL without end is refused once, when it is twice as long as one may be."""
        until = b"65535 bytes."
        answer = talk(patient, b"GET /", *[b"a" * 6_000] * 24, until=until)
        assert answer.startswith(b"HTTP/1.1 414 URI Too Long\r\n")
        assert answer.count(b"HTTP/1.1") == 1

    def test_may_come_in_pieces(self, patient: tuple[str, int]) -> None:
        """The limit counts the head of each request, and no body."""
        request = (
            HEAD.replace(b": 5", b": 50000"),
            b"A: " + b"a" * 40_000 + b"\r\n",
            b"\r\n",
            b"b" * 49_995 + b"hello",
        )
        answer = talk(patient, *request, *request, until=b"hello")
        assert answer.count(b"HTTP/1.1 200 OK") == 2

    def test_may_begin_in_the_read_that_ended_another(self, patient: tuple[str, int]) -> None:
        """A body between two heads does not count for either."""
        first, last = HEAD.replace(b": 5", b": 65400") + b"\r\n" + b"b" * 65_400, HEAD + b"\r\nlast!"
        answer = talk(patient, first[:20], first[20:] + last[:30], last[30:], until=b"last!")
        assert answer.count(b"HTTP/1.1 200 OK") == 2

    def test_that_is_none_is_refused(self, patient: tuple[str, int]) -> None:
        """A malformed head gets uvicorn's 400."""
        assert talk(patient, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def with_host(*lines: bytes, version: bytes = b"1.1") -> bytes:
    return b"\r\n".join([b"POST / HTTP/" + version, *lines, b"", b""])


class TestHost:
    @pytest.mark.parametrize(
        "hosts",
        [
            [],
            [b"Host: x", b"Host: x"],
            [b"Host: x", b"host: y"],
            [b"Host: x y"],
            [b"Host: x, y"],
            [b"Host: x/"],
            [b"Host: a@x"],
            [b"Host: x:port"],
            [b"Host: [::1"],
            ["Host: ö".encode()],
        ],
    )
    def test_that_is_not_one_is_refused(self, patient: tuple[str, int], hosts: list[bytes]) -> None:
        """A request without one valid Host is 400 (RFC 9112, 3.2), and nothing after it is read."""
        answer = talk(patient, with_host(*hosts, b"Content-Length: 0") + with_host(b"Host: x", b"Content-Length: 0"))
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert answer.count(b"HTTP/1.1") == 1

    @pytest.mark.parametrize("host", [b"x", b"x:80", b"x:", b"", b"[::1]:80", b"192.0.2.1", b"a_b.example", b"%C3%B6"])
    def test_that_is_one_is_served(self, patient: tuple[str, int], host: bytes) -> None:
        """Names, addresses and ports as URLs write them are taken, and so is an empty Host."""
        answer = talk(patient, with_host(b"Host: " + host, b"Connection: close", b"Content-Length: 0"))
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")

    def test_of_another_version_is_refused(self, patient: tuple[str, int]) -> None:
        """A version besides HTTP/1.0 and HTTP/1.1 is 400."""
        answer = talk(patient, with_host(b"Host: x", version=b"2.0"))
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")

    def test_is_not_asked_of_old_clients(self, patient: tuple[str, int]) -> None:
        """HTTP/1.0 has no Host."""
        assert talk(patient, with_host(b"Content-Length: 0", version=b"1.0")).startswith(b"HTTP/1.1 200 OK\r\n")

    def test_is_asked_of_requests_with_upgrade(self, patient: tuple[str, int]) -> None:
        """A request with Upgrade needs a Host, too."""
        answer = talk(patient, with_host(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 0"))
        assert answer.startswith(b"HTTP/1.1 400 ")


class TestMuch:
    """What is split for each request is counted before: it is split by the event loop, for which all others wait."""

    @pytest.mark.parametrize(
        ("lines", "status"),
        [
            ([b"A: a"] * 97, b"200"),
            ([b"A: a"] * 98, b"431"),
            ([b"Accept: " + b"a," * 500], b"200"),
            ([b"Accept: " + b"a," * 501], b"431"),
            ([b"Accept: " + b"a," * 100] * 6, b"431"),
            ([b"Cookie: " + b"a=a; " * 251, b"Forwarded: " + b"for=a," * 250], b"431"),
            ([b"Content-Type: " + b";" * 60_000], b"431"),
            ([b"A: " + b"a" * 60_000], b"200"),
        ],
    )
    def test_in_the_headers_is_refused(self, patient: tuple[str, int], lines: list[bytes], status: bytes) -> None:
        """A request has 100 headers and 500 items in them at most; beyond that it is 431."""
        answer = talk(patient, with_host(b"Host: x", b"Content-Length: 0", b"Connection: close", *lines))
        assert answer.startswith(b"HTTP/1.1 " + status)

    @pytest.mark.parametrize(("parameters", "status"), [(100, b"200"), (101, b"400"), (32_000, b"400")])
    def test_in_the_address_is_refused(self, patient: tuple[str, int], parameters: int, status: bytes) -> None:
        """An address has 100 parameters at most; beyond that it is 400."""
        query = b"&".join([b"a"] * parameters)
        answer = talk(patient, b"GET /?" + query + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 " + status)

    def test_after_the_body_is_dropped(self) -> None:
        """Trailers are no headers (RFC 9110, 6.5.1): a proxy that looks at headers has not seen them."""
        seen: list[bytes] = []

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await echo(scope, receive, send)
            seen.extend(name for name, _ in scope["headers"])

        trailers = b"Authorization: Bearer x\r\n" * 200
        request = with_host(b"Host: x", b"Connection: close", b"Transfer-Encoding: chunked")
        with serving(BoundedHttpProtocol, application) as address:
            answer = talk(address, request + b"5\r\nhello\r\n0\r\n" + trailers + b"\r\n")
        assert answer.endswith(b"\r\n\r\nhello")
        assert seen == [b"host", b"connection", b"transfer-encoding"]


class TestTransferEncoding:
    BODY = b"5\r\nhello\r\n0\r\n\r\n"

    @pytest.mark.parametrize(
        ("lines", "version", "status"),
        [
            # RFC 9112, 6.1: a coding that the server does not know.
            ([b"Transfer-Encoding: gzip, chunked"], b"1.1", b"501 Not Implemented"),
            ([b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"], b"1.1", b"501 Not Implemented"),
            ([b"Transfer-Encoding: identity, chunked"], b"1.1", b"501 Not Implemented"),
            # RFC 9112, 6.3 and 6.1: nothing says where the body ends.
            ([b"Transfer-Encoding: gzip"], b"1.1", b"400 Bad Request"),
            ([b"Transfer-Encoding: chunked, gzip"], b"1.1", b"400 Bad Request"),
            ([b"Transfer-Encoding: chunked, chunked"], b"1.1", b"400 Bad Request"),
            ([b"Transfer-Encoding: chunked;q=1"], b"1.1", b"400 Bad Request"),
            ([b"Transfer-Encoding: xchunked"], b"1.1", b"400 Bad Request"),
            ([b"Transfer-Encoding: chunked", b"Content-Length: 5"], b"1.1", b"400 Bad Request"),
            ([b"Transfer-Encoding: chunked"], b"1.0", b"400 Bad Request"),
        ],
    )
    def test_other_than_chunked_is_refused(
        self, patient: tuple[str, int], lines: list[bytes], version: bytes, status: bytes
    ) -> None:
        """Only `chunked` is taken: another coding is 501, and a body without an end 400."""
        answer = talk(patient, with_host(b"Host: x", *lines, version=version) + self.BODY)
        assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")
        assert answer.count(b"HTTP/1.1") == 1

    @pytest.mark.parametrize("coding", [b"chunked", b"Chunked", b" chunked "])
    def test_chunked_is_read(self, patient: tuple[str, int], coding: bytes) -> None:
        """A chunked body is read, whatever the case of the word."""
        head = with_host(b"Host: x", b"Connection: close", b"Transfer-Encoding: " + coding)
        assert talk(patient, head + self.BODY).endswith(b"\r\n\r\nhello")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01 hello\r\n\r\n",
        with_host(),
        b"GET / HTTP/1.1\r\nA: " + b"a" * 75_000,
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["garbage", "no host", "long head", "long address", "connect"],
)
def test_early_answers_have_the_headers_of_all(patient: tuple[str, int], request_bytes: bytes) -> None:
    """Answers that no application gives have a date and the security headers, and end the connection."""
    parts = [request_bytes[start : start + 6_000] for start in range(0, len(request_bytes), 6_000)]
    head = talk(patient, *parts).partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    headers = dict(line.split(b": ", 1) for line in head)
    assert {b"date", b"content-type", b"content-length"} <= headers.keys()
    assert headers[b"connection"] == b"close"
    assert headers.items() >= dict(SECURITY_HEADERS).items()


def test_early_answers_have_the_headers_of_the_application() -> None:
    """Early answers have the same Strict-Transport-Security as those of the application."""
    application = SecurityHeaders(echo, security_headers(600))
    with serving(BoundedHttpProtocol, application) as address:
        assert b"\r\nstrict-transport-security: max-age=600\r\n" in talk(address, with_host())


@pytest.mark.parametrize(
    "request_bytes",
    [
        HEAD.replace(b"Host: x\r\n", b"") + b"Origin: %s\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nOrigin: %s\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nOrigin: %s\r\nA: " + b"a" * 75_000,
        b"GET /" + b"a" * 75_000 + b" HTTP/1.1\r\nHost: x\r\nOrigin: %s\r\n\r\n",
    ],
    ids=["no host", "coding", "long head", "long URL"],
)
def test_early_answers_can_be_read_by_pages(request_bytes: bytes) -> None:
    """Pages of an allowed origin can read an early answer; those of another origin cannot."""
    cors = Cors(echo, origins=["https://shop.example"], loopback=False, own_paths=[])
    with serving(BoundedHttpProtocol, SecurityHeaders(cors, (), cors.headers_for)) as address:
        for origin, is_allowed in ((b"https://shop.example", True), (b"https://evil.example", False)):
            asked = request_bytes.replace(b"%s", origin)
            answer = talk(address, *(asked[start : start + 6_000] for start in range(0, len(asked), 6_000)))
            assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501"))
            assert (b"\r\naccess-control-allow-origin: " + origin + b"\r\n" in answer) is is_allowed


def test_a_page_can_read_that_there_are_too_many_connections() -> None:
    """The 503 of a surplus connection names the allowed origin, and the seconds to wait."""
    cors = Cors(echo, origins=["https://shop.example"], loopback=False, own_paths=[])
    protocol = partial(BoundedHttpProtocol, connections=Connections(ConnectionLimits(total=0)))
    with serving(cast("type[BoundedHttpProtocol]", protocol), SecurityHeaders(cors, (), cors.headers_for)) as address:
        answer = talk(address, HEAD + b"Origin: https://shop.example\r\n\r\nhello")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 5\r\n" in answer
    assert b"\r\naccess-control-allow-origin: https://shop.example\r\n" in answer


def test_a_preflight_is_answered_beside_too_many_connections() -> None:
    """Else the browser would not send the request, and the page could not read that it should come again."""
    cors = Cors(echo, origins=["https://shop.example"], loopback=False, own_paths=["/graphql"])
    protocol = partial(BoundedHttpProtocol, connections=Connections(ConnectionLimits(total=0)))
    head = b"OPTIONS /graphql HTTP/1.1\r\nHost: x\r\nOrigin: https://shop.example\r\n"
    with serving(cast("type[BoundedHttpProtocol]", protocol), cors) as address:
        answer = talk(address, head + b"Access-Control-Request-Method: POST\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\naccess-control-allow-origin: https://shop.example\r\n" in answer
        assert talk(address, head + b"\r\n").startswith(b"HTTP/1.1 503 ")


class TestPipeline:
    REQUEST = HEAD + b"\r\nhello"

    def test_is_answered_in_order(self, patient: tuple[str, int]) -> None:
        """Pipelined requests are answered in order."""
        answer = talk(patient, *(self.REQUEST * 33, HEAD + b"\r\nlast!"), until=b"last!")
        assert answer.count(b"HTTP/1.1 200 OK") == 34

    def test_has_an_end(self, patient: tuple[str, int]) -> None:
        """A client that pipelines a thousand requests loses its connection."""
        with suppress(ConnectionResetError):
            assert talk(patient, self.REQUEST * 1000).count(b"HTTP/1.1 200 OK") < 1000


SOON = b"GET /soon HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
NO_CHUNK = b"no chunk\r\n\r\n"


def statuses(answer: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1.1 (\d+)", answer)


class TestRefusalBehindAnAnswer:
    """Answers come in the order of the requests (RFC 9112, 9.3.2): a client takes the first for that of the first."""

    @pytest.mark.parametrize(
        ("parts", "status"),
        [
            pytest.param([b"garbage\r\n\r\n"], b"400", id="garbage"),
            pytest.param([with_host()], b"400", id="no host"),
            pytest.param([b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n"], b"400", id="connect"),
            pytest.param([with_host(b"Host: x", b"Transfer-Encoding: gzip, chunked")], b"501", id="coding"),
            pytest.param([b"GET / HTTP/1.1\r\n", b"A: " + b"a" * 70_000], b"431", id="long head"),
            pytest.param([b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"], b"414", id="long address"),
            pytest.param([b"GET /" + b"a" * 140_000, b"a" * 70_000], b"414", id="an address without end"),
            pytest.param([CHUNKED + NO_CHUNK], b"400", id="a body that is none"),
            pytest.param([CHUNKED, NO_CHUNK], b"400", id="a body that is none, in two reads"),
        ],
    )
    def test_waits_for_it(self, patient: tuple[str, int], parts: list[bytes], status: bytes) -> None:
        """A refusal follows the answer to an earlier request; what comes after it is not read."""
        answer = talk(patient, SOON + parts[0], *parts[1:], SOON)
        assert statuses(answer) == [b"200", status]

    def test_waits_for_all_of_them(self, patient: tuple[str, int]) -> None:
        """A refusal follows the answers to all earlier requests."""
        assert statuses(talk(patient, SOON + SOON + CHUNKED + NO_CHUNK)) == [b"200", b"200", b"400"]

    def test_does_not_bring_a_deadline(self, hasty: tuple[str, int]) -> None:
        """The answer to an earlier request is not cut off by the deadline of a head that was refused."""
        answer = talk(hasty, SOON + b"POST / HTTP/1.1\r\n", b"\r\n")
        assert statuses(answer) == [b"200", b"400"]

    def test_is_left_out_after_the_last_answer(self) -> None:
        """An answer that ends the connection is the last: that a second request came is no reason for a 503."""
        protocol = partial(BoundedHttpProtocol, connections=Connections(ConnectionLimits(total=0)))

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await echo({**scope, "path": "/soon"}, receive, send)

        probe = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        with serving(cast("type[BoundedHttpProtocol]", protocol), application) as address:
            assert statuses(talk(address, probe + HEAD + b"\r\nhello")) == [b"200"]

    def test_is_no_second_answer(self, patient: tuple[str, int]) -> None:
        """A body that is none after the answer to its request ends the connection, and a first answer is a refusal."""
        head = CHUNKED.replace(b"/ ", b"/early ")
        assert statuses(talk(patient, head, NO_CHUNK)) == [b"200"]
        assert statuses(talk(patient, CHUNKED, NO_CHUNK)) == [b"400"]


class TestEarlyAnswer:
    @pytest.mark.parametrize("connection", [b"close", b"keep-alive"])
    def test_reaches_a_client_that_goes_on_sending(self, patient: tuple[str, int], connection: bytes) -> None:
        """An answer before the body is there is not lost in a reset: the rest is read before the connection closes."""
        body = b"b" * 20_000_000
        head = b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n"
        with socket.create_connection(patient, timeout=PATIENCE) as client:
            client.sendall(head % (len(body), connection) + body)
            assert client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
            client.sendall(b"GET /early HTTP/1.1\r\nHost: x\r\n\r\n")
            with suppress(ConnectionResetError):  # it closes while the second request is on its way
                assert bool(client.recv(65536)) is (connection == b"keep-alive")

    def test_is_the_last_of_a_connection_that_ends(self) -> None:
        """A request in the read that ends the body before it is not served: its client would get no answer."""
        served: list[str] = []

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            served.append(scope["path"])
            await PlainTextResponse("early")(scope, receive, send)

        protocol = partial(BoundedHttpProtocol, connections=Connections(ConnectionLimits(total=0)))
        probe = b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
        with serving(cast("type[BoundedHttpProtocol]", protocol), application) as address:
            assert talk(address, probe, b"hello" + probe + b"hello").count(b"HTTP/1.1 200 OK") == 1
        assert served == ["/healthz"]


async def farewell(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer when the client has disconnected, and note which request."""
    while (await receive())["type"] != "http.disconnect":
        pass
    await PlainTextResponse("too late")(scope, receive, send)
    scope["app_state"].append(scope["path"])


class TestDisconnect:
    def test_is_told_to_the_request_that_is_under_way(self, caplog: pytest.LogCaptureFixture) -> None:
        """The disconnect is reported to the request that runs, not to the last that arrived."""
        told: list[str] = []

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await farewell({**scope, "app_state": told}, receive, send)

        first, second = HEAD.replace(b"/ ", b"/first "), HEAD.replace(b"/ ", b"/second ")
        with serving(BoundedHttpProtocol, application) as address:
            with socket.create_connection(address, timeout=PATIENCE) as connection:
                connection.sendall(first + b"\r\nhello" + second + b"\r\nhello")
            eventually(lambda: told == ["/first"])
        assert caplog.messages == []


def refuses(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return True
    return False


class TestStop:
    def test_answers_requests_on_their_way(self) -> None:
        """A request that comes after the stop, on a new connection or on one that waits, is the last one there."""
        request = HEAD + b"\r\nhello"
        answers: list[bytes] = []
        with ExitStack() as open_ones:
            with serving(Patient) as address:
                new, old = (open_ones.enter_context(socket.create_connection(address, PATIENCE)) for _ in range(2))
                old.sendall(request)
                while not old.recv(65536).endswith(b"hello"):
                    pass

                def ask_late() -> None:
                    eventually(partial(refuses, address))
                    for connection in (new, old):
                        connection.sendall(request)
                        answers.append(b"".join(iter(partial(connection.recv, 65536), b"")))

                asking = Thread(target=ask_late)
                asking.start()
            asking.join()
        assert [answer.count(b"HTTP/1.1 200 OK") for answer in answers] == [1, 1]
        assert [b"connection: close" in answer for answer in answers] == [True, True]

    def test_ends_connections_without_a_request(self) -> None:
        """A connection that waits does not keep the process from ending."""
        with ExitStack() as open_ones:
            with serving(BoundedHttpProtocol) as address:
                connection = open_ones.enter_context(socket.create_connection(address, PATIENCE))
                assert talk(address, HEAD + b"\r\nhello", until=b"hello")
            assert connection.recv(1) == b""

    def test_is_told_to_answers_that_would_go_on(self) -> None:
        """A server that stops sets the event of each open connection, so that a stream can end in good order."""

        async def stream(scope: Scope, receive: Receive, send: Send) -> None:
            started.set()
            await scope["gateway.closing"]().wait()
            await PlainTextResponse("the end")(scope, receive, send)

        started = Event()
        with serving(BoundedHttpProtocol, stream) as address:
            connection = socket.create_connection(address, timeout=PATIENCE)
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert started.wait(PATIENCE)
        with connection:
            assert connection.recv(65536).endswith(b"the end")


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
        """A request that does not arrive within the deadline loses its connection."""
        talk(hasty, *parts)

    def test_may_take_its_time_between_requests(self, hasty: tuple[str, int]) -> None:
        """A connection may be idle for longer than a request may take."""
        with socket.create_connection(hasty, timeout=PATIENCE) as connection:
            for _ in range(2):
                connection.sendall(HEAD + b"\r\nhello")
                assert connection.recv(65536).endswith(b"hello")
                time.sleep(0.5)

"""Too many connections: idle ones make room, busy ones leave probes through, and unread answers end."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit
from threading import Event
from typing import Any, cast

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from graphql_api.server.connections import LOG_PAUSE_SECONDS, RESERVE, ConnectionLimits, Connections, Unread
from graphql_api.server.http_protocol import BoundedHttpProtocol
from graphql_api.server.server import FILES_KEPT, connection_limits, raise_open_files
from graphql_api.settings import GatewaySettings
from harness.gateway import COMMAND, DIES_WITH_US, succeeds
from harness.ports import HOST, free_port
from tests.graphql_api.installation import CREATE, FORM
from tests.graphql_api.server.test_http_protocol import serving
from tests.graphql_api.server.test_processes import development, environment
from tests.waiting import PATIENCE, eventually

ADA, EVE = "192.0.2.1", "198.51.100.9"
PROXY = "10.0.0.1"


LARGE = 30_000_000


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Line:
    """A connection without a socket."""

    is_aborted = False
    reads = True

    def abort(self) -> None:
        self.is_aborted = True

    def is_stalled(self, _now: float) -> bool:
        return not self.reads


def entered(connections: Connections, ip: str, count: int) -> list[Line]:
    lines = [Line() for _ in range(count)]
    assert [connections.enter(line, ip) for line in lines] == [True] * count
    return lines


class TestRoom:
    def test_the_longest_wait_ends_where_there_are_too_many(self) -> None:
        """One connection too many closes the one that has waited longest, whichever client it belongs to."""

        async def scenario() -> None:
            connections = Connections(ConnectionLimits(total=3))
            first, second, third = entered(connections, EVE, 3)
            connections.works(first)
            connections.works(second)
            connections.waits(second)
            entered(connections, ADA, 1)
            assert [line.is_aborted for line in (first, second, third)] == [False, False, True]
            entered(connections, ADA, 1)
            assert [line.is_aborted for line in (first, second)] == [False, True]

        asyncio.run(scenario())

    def test_a_client_makes_room_for_itself(self) -> None:
        """A client with too many connections loses its own, and other clients lose none."""

        async def scenario() -> None:
            connections = Connections(ConnectionLimits(total=10, per_client=2))
            (ada,) = entered(connections, ADA, 1)
            eve = entered(connections, EVE, 3)
            assert [line.is_aborted for line in (ada, *eve)] == [False, True, False, False]

        asyncio.run(scenario())

    def test_an_ipv6_client_has_a_network(self) -> None:
        """Addresses of one /64 are one client."""

        async def scenario() -> None:
            connections = Connections(ConnectionLimits(per_client=1))
            (first,) = entered(connections, "2001:db8::1", 1)
            entered(connections, "2001:db8::2", 1)
            assert first.is_aborted

        asyncio.run(scenario())

    @pytest.mark.parametrize("proxy", [PROXY, f"::ffff:{PROXY}", ""])
    def test_a_proxy_brings_many_clients(self, proxy: str) -> None:
        """The limit of a client is not that of a trusted proxy, but that in all is; a Unix socket has no address."""

        async def scenario() -> None:
            limits = ConnectionLimits(total=3, per_client=3 if not proxy else 1, proxies=(ip_network("10.0.0.0/8"),))
            lines = entered(Connections(limits), proxy, 4)
            assert [line.is_aborted for line in lines] == [True, False, False, False]

        asyncio.run(scenario())

    def test_a_connection_that_left_has_made_room(self) -> None:
        """Connections that end are counted no more, and may end twice."""

        async def scenario() -> None:
            connections = Connections(ConnectionLimits(total=1, per_client=1))
            for _ in range(3):
                (line,) = entered(connections, ADA, 1)
                connections.works(line)
                connections.leave(line)
                connections.leave(line)
                connections.waits(line)
                assert not line.is_aborted

        asyncio.run(scenario())

    @pytest.mark.parametrize("limits", [ConnectionLimits(total=2), ConnectionLimits(per_client=2)])
    def test_where_all_work_a_new_one_is_surplus(self, limits: ConnectionLimits) -> None:
        """Where no connection waits, a new one is surplus; beyond the reserve the oldest surplus one is closed."""

        async def scenario() -> None:
            connections = Connections(limits)
            busy = entered(connections, EVE, 2)
            for line in busy:
                connections.works(line)
            surplus = [Line() for _ in range(RESERVE + 1)]
            for line in surplus:
                assert not connections.enter(line, EVE)
                connections.waits(line)  # which makes it none that another could take the place of
            assert [line.is_aborted for line in surplus] == [True, *[False] * RESERVE]
            for line in (*surplus, busy[0]):
                connections.leave(line)
            entered(connections, EVE, 1)

        asyncio.run(scenario())

    def test_one_line_in_the_log_says_so(self) -> None:
        """Too many connections are logged once a minute, without an address."""

        async def scenario() -> None:
            clock = Clock()
            connections = Connections(ConnectionLimits(total=2), clock)
            with capture_logs() as logs:
                for clock.now in (0.0, 0.0, 1.0, LOG_PAUSE_SECONDS / 2, LOG_PAUSE_SECONDS, LOG_PAUSE_SECONDS + 1.0):
                    entered(connections, EVE, 1)
            assert [(line["log_level"], line["open"], line["limit"]) for line in logs] == [("warning", 2, 2)] * 2
            assert EVE not in str(logs)

        asyncio.run(scenario())


class TestSweep:
    def test_closes_what_is_not_read(self) -> None:
        """A connection whose client does not read is closed, and one line counts such connections."""

        async def scenario() -> None:
            connections = Connections(ConnectionLimits())
            reads, reads_not = entered(connections, EVE, 2)
            reads_not.reads = False
            with capture_logs() as logs:
                connections.sweep()
                connections.sweep()
            assert (reads.is_aborted, reads_not.is_aborted) == (False, True)
            assert [line["connections"] for line in logs] == [1]
            connections.leave(reads)
            connections.sweep()
            assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(scenario())


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body; /large with more than sockets take up."""
    body = b"x" * LARGE if scope["path"] == "/large" else await Request(scope, receive).body()
    await PlainTextResponse(body)(scope, receive, send)


@contextmanager
def bounded(application: Any = answer, **limits: Any) -> Iterator[tuple[str, int]]:
    connections = Connections(ConnectionLimits(**limits), sweep_seconds=0.1)
    with serving(
        cast("type[BoundedHttpProtocol]", partial(Impatient, connections=connections)), application
    ) as address:
        yield address


class Impatient(BoundedHttpProtocol):
    surplus_seconds = 0.2
    unread_seconds = 0.2


def talk(address: tuple[str, int], path: str = "/") -> bytes:
    with socket.create_connection(address, timeout=PATIENCE) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


class TestServer:
    def test_serves_others_beside_idle_connections(self) -> None:
        """A server full of idle connections closes the oldest of them for each new client."""
        with bounded(total=5) as address, ExitStack() as stack:
            idle = [stack.enter_context(socket.create_connection(address, timeout=PATIENCE)) for _ in range(20)]
            assert talk(address).startswith(b"HTTP/1.1 200 OK\r\n")
            assert idle[0].recv(1) == b""

    def test_answers_probes_beside_busy_connections(self) -> None:
        """A server full of requests answers probes, tells others to come back, and drops those that send nothing."""
        ends = Event()

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await (asyncio.to_thread(ends.wait) if scope["path"] == "/busy" else answer(scope, receive, send))

        with bounded(application, total=2) as address, ExitStack() as stack:
            for _ in range(2):
                busy = stack.enter_context(socket.create_connection(address, timeout=PATIENCE))
                busy.sendall(b"GET /busy HTTP/1.1\r\nHost: x\r\n\r\n")
            eventually(lambda: talk(address).startswith(b"HTTP/1.1 503 Service Unavailable\r\n"))
            assert b"\r\nretry-after: 5\r\n" in talk(address)
            for probe in ("/healthz", "/readyz?verbose"):
                assert talk(address, probe).startswith(b"HTTP/1.1 200 OK\r\n")
            with socket.create_connection(address, timeout=PATIENCE) as silent:
                assert silent.recv(1) == b""
            ends.set()

    @pytest.mark.parametrize("keeps", [b"keep-alive", b"close"])
    def test_drops_a_client_that_does_not_read(self, keeps: bytes) -> None:
        """An answer that its client does not read ends the connection, also one that is closed behind the answer."""
        with bounded() as address, socket.create_connection(address, timeout=PATIENCE) as connection:
            with capture_logs() as logs:
                connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: " + keeps + b"\r\n\r\n")
                eventually(lambda: logs)
            with suppress(ConnectionResetError):
                assert len(b"".join(iter(lambda: connection.recv(1_000_000), b""))) < LARGE

    def test_sends_all_to_a_client_that_reads(self) -> None:
        """A client that reads gets the whole of an answer that its socket does not take up at once."""
        with bounded() as address:
            assert len(talk(address, "/large").partition(b"\r\n\r\n")[2]) == LARGE


class TestUnread:
    """A client has ten seconds to read something."""

    @pytest.mark.parametrize(
        ("looks", "too_long"),
        [
            ([(0, 0.0), (0, 20.0)], False),
            ([(500, 0.0), (500, 9.0)], False),
            ([(500, 0.0), (500, 10.0)], True),
            # More answers do not help, and what has been read does.
            ([(500, 0.0), (900, 9.0), (900, 10.0)], True),
            ([(500, 0.0), (400, 9.0), (400, 18.0)], False),
            ([(500, 0.0), (400, 9.0), (400, 19.0)], True),
            # Time without an answer does not count.
            ([(0, 0.0), (0, 90.0), (500, 95.0), (500, 104.0)], False),
        ],
    )
    def test_counts_from_the_last_byte_that_was_read(self, looks: list[tuple[int, float]], too_long: bool) -> None:
        """The time begins with an answer that waits, and again with every byte that the client reads."""
        unread = Unread(10.0)
        assert [unread.is_too_long(*look) for look in looks][-1] is too_long

    def test_a_buffer_that_was_emptied_and_filled_has_been_read(self) -> None:
        """A client that has read all, and for which as much waits again, is not too slow."""
        unread = Unread(10.0)
        assert not unread.is_too_long(500, 0.0)
        unread.has_read = True
        assert not unread.is_too_long(500, 10.0)
        assert not unread.is_too_long(500, 19.0)
        assert unread.is_too_long(500, 20.0)


class TestOpenFiles:
    def test_the_limit_is_raised_to_what_is_allowed(self) -> None:
        """`raise_open_files` makes the soft limit the hard one."""
        files = raise_open_files()
        soft, hard = getrlimit(RLIMIT_NOFILE)
        assert soft == hard
        assert files == (hard if hard != RLIM_INFINITY else sys.maxsize)

    @pytest.mark.parametrize(
        ("settings", "files", "expected"),
        [
            ({"mode": "production"}, 1_000_000, (10_000, 256)),
            ({"mode": "production", "connections": 50}, 1_000_000, (50, 256)),
            ({"mode": "production"}, 1024, (1024 - FILES_KEPT - RESERVE, 256)),
            ({"mode": "production"}, 64, (1, 256)),
            ({"mode": "production", "limits": "off"}, 1_000_000, (10_000, 0)),
            ({"mode": "production", "limit_connections_per_client": 9}, 1_000_000, (10_000, 9)),
            ({"mode": "development"}, 1_000_000, (10_000, 0)),
        ],
    )
    def test_limits_fit_the_files(self, settings: dict[str, Any], files: int, expected: tuple[int, int]) -> None:
        """A worker keeps files for the database and for probes; GATEWAY_LIMITS rules the limit of a client."""
        limits = connection_limits(GatewaySettings(**settings), files)
        assert (limits.total, limits.per_client) == expected

    @pytest.mark.long
    def test_serves_beside_more_idle_connections_than_files(self, sqlite_url: str, tmp_path: Path) -> None:
        """With few files a gateway says so, serves beside more idle connections than it may open, and logs one line."""
        with with_few_files(sqlite_url, tmp_path) as port, ExitStack() as stack:
            for _ in range(FILES + 50):
                stack.enter_context(socket.create_connection((HOST, port), timeout=PATIENCE))
            assert succeeds(port, "/readyz")
            assert signed_up(port)
        lines = (tmp_path / "log").read_text()
        assert f"Open files are limited to {FILES}: 108 connections, not 10000 (ulimit -n)." in lines
        assert lines.count("too many connections") == 1

    @pytest.mark.long
    def test_event_streams_leave_half_of_the_connections(self, sqlite_url: str, tmp_path: Path) -> None:
        """More event streams than connections, of any clients, do not keep others out."""
        with with_few_files(sqlite_url, tmp_path) as port, ExitStack() as stack:
            handle = signed_up(port)["handle"]
            body = {"query": f'subscription {{ registration(handle: "{handle}") {{ state }} }}'}
            accept = {"accept": "text/event-stream"}
            statuses = []
            for _ in range(120):
                stream = httpx2.stream("POST", f"http://{HOST}:{port}/graphql", json=body, headers=accept)
                statuses.append(stack.enter_context(stream).status_code)
            assert statuses == [200] * 54 + [503] * 66
            assert signed_up(port, email="eve@example.org")


FILES = 300
SIGN_UP = CREATE.replace("... on CreateCustomerSuccess {", "... on CreateCustomerSuccess { handle ")


@contextmanager
def with_few_files(sqlite_url: str, directory: Path) -> Iterator[int]:
    """The port of a gateway that may open FILES; its log is in the directory. It ends well."""
    port = free_port()
    with (directory / "log").open("wb") as output:
        process = subprocess.Popen(
            [*DIES_WITH_US, "prlimit", f"--nofile={FILES}:{FILES}", COMMAND, "serve"],
            cwd=directory,
            env=environment(development(sqlite_url, directory) | {"GATEWAY_PORT": str(port)}),
            stdout=output,
            stderr=output,
        )
        eventually(lambda: succeeds(port, "/readyz"))
        yield port
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


def signed_up(port: int, **change: str) -> dict[str, Any]:
    """The answer to a sign-up that succeeds."""
    body = {"query": SIGN_UP, "variables": {"input": {**FORM, **change}}}
    answer: dict[str, Any] = httpx2.post(f"http://{HOST}:{port}/graphql", json=body, timeout=PATIENCE).json()
    assert answer["data"]["createCustomer"]["__typename"] == "CreateCustomerSuccess"
    return dict(answer["data"]["createCustomer"])

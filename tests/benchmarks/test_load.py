"""The load generator: a load with a single error gives no numbers."""

import json
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from benchmarks import load
from benchmarks.load import Load, LoadError, judged
from benchmarks.population import populate, populate_signed_in
from harness.production import services_of
from harness.store import Store
from tests.benchmarks.wrk import needs_wrk
from tests.conftest import Serve
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

GOOD = {"good": 10, "overloaded": 0, "bad": 0, "lost": 0, "seconds": 2.0, "p50": 1, "p95": 2, "p99": 3, "sample": ""}


def output(**changes: object) -> str:
    """The output of wrk: its own summary, then the line of load.lua."""
    return f"Running 2s test\n  Latency 1 2 3\n\n{json.dumps(GOOD | changes)}\n"


class TestJudged:
    def test_reads_a_flawless_run(self) -> None:
        """The rate counts successes a second."""
        seen = judged(output(), 0.5, overload=False)
        assert seen == Load(good=10, overloaded=0, seconds=2.0, p50=1, p95=2, p99=3, cpu=0.5)
        assert seen.rate == 5.0

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"bad": 1, "sample": "500 oops"}, "1 responses were errors, for example: 500 oops"),
            ({"lost": 2}, "2 requests failed or were not answered"),
            ({"overloaded": 3}, "3 requests were refused as overload"),
            ({"good": 0}, "nothing was answered"),
        ],
    )
    def test_refuses_every_other_run(self, changes: dict[str, object], words: str) -> None:
        """A single error, lost or refused request fails the load, and so does a load without a success."""
        with pytest.raises(LoadError, match=f"^{words}$"):
            judged(output(**changes), 0.0, overload=False)

    def test_takes_refusals_where_overload_is_meant(self) -> None:
        """With `overload`, refusals are counted and other errors still fail the load."""
        assert judged(output(good=0, overloaded=3), 0.0, overload=True).overloaded == 3
        with pytest.raises(LoadError):
            judged(output(overloaded=3, bad=1), 0.0, overload=True)


def test_says_when_wrk_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without wrk the error says how to install it."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(LoadError, match="apt-get install wrk"):
        load.run("http://127.0.0.1:1", "graphql", connections=1, seconds=1)


def test_registrations_have_settled_when_they_grow_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting ends with the first number that is seen twice in a row."""
    monkeypatch.setattr(load, "SETTLE", 0)
    numbers = iter([0, 5, 7, 7, 8])
    assert load.settled(lambda: next(numbers)) == 7


class Answering(BaseHTTPRequestHandler):
    """A server that gives every POST the same response."""

    protocol_version = "HTTP/1.1"
    answer: tuple[int, dict[str, str], bytes]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, headers, body = self.answer
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


TAKEN = b'{"data":{"createCustomer":{"__typename":"EmailTakenError"}}}'
MISSING = b'{"data":{"registerCustomerAccount":{"__typename":"MissingPasswordError"}}}'


@needs_wrk
class TestWrk:
    @pytest.mark.parametrize(
        ("kind", "answer", "words"),
        [
            ("graphql", (500, {}, b"oops"), "500 oops"),
            ("graphql", (200, {}, TAKEN), "EmailTakenError"),
            ("graphql", (503, {}, b"no promise when"), "503 no promise"),
            ("graphql", (503, {"Retry-After": "1"}, b""), "refused as overload"),
            ("rest", (422, {}, b"{}"), "422"),
            ("rest", (200, {}, TAKEN), "200"),
            ("better-auth", (422, {}, b'{"code":"USER_ALREADY_EXISTS"}'), "422"),
            ("better-auth", (200, {}, b'{"token":null}'), "200"),
            ("vendure", (200, {}, b'{"errors":[{"message":"locked"}],"data":null}'), "locked"),
            ("vendure", (200, {}, MISSING), "MissingPasswordError"),
            ('/graphql {"query":"{ a }"}', (200, {}, b'{"errors":[]}'), "200"),
        ],
    )
    def test_fails_when_the_server_answers_errors(
        self, server: ThreadingHTTPServer, kind: str, answer: tuple[int, dict[str, str], bytes], words: str
    ) -> None:
        """Error responses fail the load, and so does a taken address, for which no customer is stored."""
        Answering.answer = answer
        url = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(LoadError, match=words):
            load.run(url, kind, connections=2, seconds=1, tag="a")

    def test_fails_when_no_server_listens(self) -> None:
        """A closed port is an error and not a rate of zero."""
        with pytest.raises(LoadError):
            load.run("http://127.0.0.1:1", "rest", connections=1, seconds=1)

    def test_signs_in_and_reads(self, serve: Serve, sqlite_url: str) -> None:
        """Sign-ins use the addresses given, and reads the access token given."""
        gateway = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_RELAY="off")
        with services_of(gateway, Store(sqlite_url, None)) as services:
            addresses = populate(services, 3, password_hash=services.passwords.hash("correct horse"))
            token = populate_signed_in(services, 1)[0].token
        me = '/graphql {"query":"{ me { email } }"}'
        assert load.run(gateway.base_url, "sign-in", connections=2, seconds=1, tag=",".join(addresses)).good > 0
        assert load.run(gateway.base_url, me, connections=2, seconds=1, token=token, pause=10).good > 0
        with pytest.raises(LoadError):
            load.run(gateway.base_url, me, connections=2, seconds=1)
        with pytest.raises(LoadError, match="BadCredentialsError"):
            load.run(gateway.base_url, "sign-in", connections=1, seconds=1, tag="unknown@example.org", pause=200)

    def test_runs_as_a_batch_process(self, server: ThreadingHTTPServer) -> None:
        """With `batch` wrk has the scheduling class that does not preempt other processes."""
        Answering.answer = (201, {}, b"{}")
        url = f"http://127.0.0.1:{server.server_port}"
        running = load.start(url, "rest", connections=1, seconds=1, batch=True)
        eventually(lambda: os.sched_getscheduler(running.pid) == os.SCHED_BATCH)
        assert running.result().good > 0

    @pytest.mark.parametrize("kind", ["graphql", "rest"])
    def test_registers_a_new_customer_with_every_request(self, serve: Serve, sqlite_url: str, kind: str) -> None:
        """Each door of the real gateway registers customers, and further ones with another tag."""
        url = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_RELAY="off").base_url
        for tag in ("a", "b"):
            seen = load.run(url, kind, connections=4, seconds=1, tag=f"{kind}-{tag}")
            assert seen.good > 0
            assert seen.p50 <= seen.p95 <= seen.p99

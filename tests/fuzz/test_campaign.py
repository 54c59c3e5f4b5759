"""The campaign finds what it looks for: each kind of failure is shown to it once."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Thread

import pytest
from graphql import build_schema

from fuzz import watched
from fuzz.__main__ import main, summary
from fuzz.campaign import Campaign, Findings, ask_all
from fuzz.client import Answer
from fuzz.member import SCHEMA
from fuzz.requests import KINDS, Known, Request, make
from fuzz.target import SETTINGS
from fuzz.texts import CANARY, case_changers
from fuzz.verdicts import Told, grown, judged, leaked

GET = Request("form", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
BYTES = Request("damaged", b"\x00", is_http=False)
KNOWN = Known(
    build_schema(SCHEMA.read_text("utf-8")),
    {"/customers": ["email", "password"]},
    "DE--1",
    ("token-of-a-customer",),
    [GET.content],
)


@contextmanager
def answering(content: bytes) -> Iterator[int]:
    """The port of a server that answers every connection with these bytes, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # the test is over
                    return
                with connection:
                    connection.recv(65_536)
                    connection.sendall(content)

        thread = Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def failures(request: Request, content: bytes) -> list[str]:
    with answering(content) as port:
        (told,) = ask_all(port, iter([request]))
    return [failure.what for failure in judged(told.request, told.answer)]


def made(count: int) -> list[Request]:
    return [make(Random(seed), KNOWN) for seed in range(count)]  # noqa: S311 - to be repeated


def head(status: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class TestJudgement:
    @pytest.mark.parametrize("request_", [GET, BYTES])
    def test_an_answer_of_500_is_a_failure(self, request_: Request) -> None:
        """A 5xx is a failure, whatever was sent."""
        assert failures(request_, head("500 Internal Server Error")) == [f"{request_.kind}: 500"]

    def test_a_masked_bug_is_a_failure(self) -> None:
        """An answer of 200 that tells of a bug is a failure."""
        assert failures(GET, head("200 OK", b'{"code":"INTERNAL_ERROR"}')) == ["form: INTERNAL_ERROR"]

    def test_no_answer_is_a_failure_after_http(self) -> None:
        """A server may hang up on bytes that are no HTTP, and on nothing else."""
        assert failures(GET, b"") == ["form: closed"]
        assert failures(BYTES, b"") == []

    @pytest.mark.parametrize(
        ("request_", "status"),
        [(GET, "503 Unavailable"), (GET, "404 Not Found"), (BYTES, "501 Not Implemented")],
    )
    def test_other_answers_are_right(self, request_: Request, status: str) -> None:
        """Refusals are no failures; 501 is none for codings that the gateway does not know."""
        assert failures(request_, head(status)) == []

    def test_a_hanging_server_is_a_failure(self) -> None:
        """An answer that does not come in time is a failure, also to bytes that are no HTTP."""
        hanging = Answer((), fault="hangs")
        assert [[failure.what for failure in judged(each, hanging)] for each in (GET, BYTES)] == [
            ["form: hangs"],
            ["damaged: hangs"],
        ]


class TestLog:
    @pytest.mark.parametrize(
        "line",
        [f"address={CANARY}x", "token-of-a-customer", '{"event": "fault", "level": "error"}', "Traceback (most recent"],
    )
    def test_a_line_with_what_was_sent_or_an_error_is_a_failure(self, tmp_path: Path, line: str) -> None:
        """A secret or an error in the log is found once, because the log is emptied."""
        log = tmp_path / "log"
        log.write_text(f"fine\n{line}\n")
        assert len(list(leaked(log, KNOWN))) == 1
        assert list(leaked(log, KNOWN)) == []

    def test_other_lines_are_right(self, tmp_path: Path) -> None:
        """A line about a request is no failure."""
        log = tmp_path / "log"
        log.write_text('{"event": "request", "level": "info", "status": 400}\n')
        assert list(leaked(log, KNOWN)) == []


def test_growth_in_the_second_half_is_a_failure() -> None:
    """Memory may grow while caches fill, and not later."""
    assert [failure.what for failure in grown([100.0] * 6 + [110.0, 120.0, 130.0, 140.0])] == [
        "memory grew from 100 to 140 MiB in the second half"
    ]
    assert list(grown([50.0, 80.0, 100.0, 110.0, 118.0, 120.0, 121.0, 121.0, 122.0, 122.0])) == []
    assert list(grown([1.0, 1000.0])) == []


def test_a_blocked_event_loop_is_reported(tmp_path: Path) -> None:
    """A step of the event loop that computes for longer than the bound is written down; shorter ones are not."""
    report = tmp_path / "loop"
    report.touch()

    async def scenario() -> None:
        watching = asyncio.create_task(watched.watch(str(report)))
        for rounds in (0, 3 * watched.TOO_LONG, 0):
            for _ in range(rounds):
                watched.seconds_of_a_round()
            await asyncio.sleep(2 * watched.EVERY)
        watching.cancel()

    asyncio.run(scenario())
    (line,) = report.read_text().splitlines()
    assert float(line.split()[2]) > watched.TOO_LONG


class TestRequests:
    def test_are_the_same_for_the_same_seed(self) -> None:
        """A seed makes the same requests, of every kind."""
        first, second = made(300), made(300)
        assert first == second
        assert {request.kind for request in first} == set(KINDS)

    def test_hold_no_text_that_begins_otherwise_in_the_place_of_a_secret(self) -> None:
        """Passwords that are sent begin with the canary, so that the log can be searched for them."""
        bodies = [request.content for request in made(300)]
        assert any(b'"password": "canary-' in body for body in bodies)

    def test_know_the_letters_that_change_with_their_case(self) -> None:
        """Letters whose lower or upper case is longer, or another letter's, are in the alphabet; plain ones are not."""
        assert set("İßŉﬁςſ\u212a") <= set(case_changers())
        assert not set("aZ1漢") & set(case_changers())


@pytest.mark.long
class TestCampaign:
    def test_goes_on_where_it_stopped(self, tmp_path: Path) -> None:
        """A campaign finds no failure, keeps a corpus, and is not run again with its seed."""
        said: list[str] = []
        campaign = Campaign(tmp_path, seed=7, say=said.append)
        found = campaign.run(SETTINGS[0], 200)
        assert found.failures == []
        assert sum(found.answers.values()) > 150
        assert list((tmp_path / "corpus").glob("*.http"))
        assert campaign.run(SETTINGS[0], 200) == Findings()
        assert said[-1] == "sqlite development reveal: 200 requests are done already, with 0 failures"

    def test_does_not_pass_over_the_failures_of_before(self, tmp_path: Path) -> None:
        """Failures of a campaign that was stopped or is done are failures of the next run with its seed, too."""
        state = tmp_path / "sqlite-development-reveal-7.json"
        state.write_text('{"done": 200, "failures": ["form: 500"]}')
        found = Campaign(tmp_path, seed=7, say=lambda _: None).run(SETTINGS[0], 200)
        assert [failure.what for failure in found.failures] == ["form: 500"]

    def test_counts_what_it_saw(self) -> None:
        """The summary names each kind with its statuses, and ends with the number of failures."""
        found = Findings()
        found.answers.update([("form", 200), ("form", 404), ("form", 200)])
        assert summary([found]) == ["form: 2 x 200, 1 x 404", "3 answers, 0 failures"]

    def test_of_no_requests_passes(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The command's status is 0 without failures."""
        assert main(["--requests", "0", "--directory", str(tmp_path)]) == 0
        assert capsys.readouterr().out.endswith("0 answers, 0 failures\n")


def test_requests_are_told_with_their_times() -> None:
    """Each request is told with the moments between which it was under way."""
    with answering(head("200 OK")) as port:
        told = ask_all(port, iter([GET] * 3))
    assert all(isinstance(each, Told) and each.began < each.ended for each in told)

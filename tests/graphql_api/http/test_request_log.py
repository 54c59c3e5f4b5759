"""The outermost layer, around routes that answer and routes that raise."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any

import httpx2
import pytest
import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, Router, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from structlog.testing import capture_logs

from graphql_api.http.client_ip import ClientIps
from graphql_api.http.request_log import RequestLog
from registration.notes import current_correlation_id, note, with_notes
from registration.storage.database import Unavailable
from registration.storage.deadline import current

log = structlog.get_logger(__name__)

SECRET = "correct-horse"
Entries = list[MutableMapping[str, Any]]


async def show(request: Request) -> Response:
    return PlainTextResponse(current_correlation_id())


async def fail(request: Request) -> Response:
    raise ValueError(f"the password was {SECRET}")


async def lose_the_database(request: Request) -> Response:
    raise Unavailable("no database connection became free")


async def break_off(request: Request) -> Response:
    async def half() -> AsyncIterator[bytes]:
        yield b"half of it"
        raise ValueError(SECRET)

    return StreamingResponse(half())


async def greet(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


APP = Starlette(
    routes=[
        Route("/customers/{reference}", show),
        Route("/fail/{reference}", fail),
        Route("/outage", lose_the_database),
        Route("/half", break_off),
        WebSocketRoute("/socket", greet),
    ],
    middleware=[Middleware(RequestLog, client_ips=ClientIps((), time.monotonic))],
)


@pytest.fixture
def client() -> TestClient:
    return TestClient(APP, client=("192.0.2.77", 50_000))


@pytest.fixture
def entries() -> Iterator[Entries]:
    with capture_logs([with_notes]) as entries:
        yield entries


def test_a_request_is_one_line_with_the_template_of_its_route(client: TestClient, entries: Entries) -> None:
    """A request is logged in one line, with the template of its route instead of its path and query."""
    response = client.get(f"/customers/DE--25?token={SECRET}", headers={"x-correlation-id": SECRET})
    (entry,) = entries
    assert entry.pop("seconds") >= 0
    assert entry == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "route": "/customers/{reference}",
        "status": 200,
        "client": "192.0.2.0/24",
        "operation": "/customers/{reference}",
        "outcome": "200",
        "correlation_id": response.text,
    }


def test_refusals_in_a_flood_share_a_line_a_second(entries: Entries) -> None:
    """Of the requests that are refused as too many one a second is logged, with the number since the line before it."""

    async def refuse(_request: Request) -> Response:
        note(operation="createCustomer", outcome="OVERLOADED")
        return PlainTextResponse("later", 503)

    routes = [Route("/refused", refuse), Route("/customers/{reference}", show)]
    client = TestClient(RequestLog(Router(routes), clock=lambda: now))
    for moment, path in [
        (0.0, "/refused"),
        (0.5, "/refused"),
        (0.9, "/customers/1"),
        (0.9, "/refused"),
        (1.0, "/refused"),
    ]:
        now = moment
        client.get(path)
    assert [(entry["outcome"], entry.get("refused")) for entry in entries] == [
        ("OVERLOADED", 1),
        ("200", None),
        ("OVERLOADED", 3),
    ]


def test_a_path_that_nothing_serves_is_not_shown(client: TestClient, entries: Entries) -> None:
    """The line of a request for an unknown path does not hold the path, which may be a mistyped link."""
    assert client.get(f"/register/confirm/{SECRET}").status_code == 404
    assert [(entry["route"], entry["status"], entry["log_level"]) for entry in entries] == [("-", 404, "info")]


def test_every_answer_carries_its_own_correlation_id(client: TestClient) -> None:
    """Each response has a new correlation id, and not the one that a client sends."""
    answers = [client.get("/customers/1", headers={"x-correlation-id": "mine"}) for _ in range(2)]
    ids = [answer.headers["x-correlation-id"] for answer in answers]
    assert ids == [answer.text for answer in answers]
    assert len(set(ids)) == 2
    assert all(re.fullmatch("[0-9a-f]{16}", found) for found in ids)


def test_requests_at_the_same_time_keep_their_correlation_ids_apart(entries: Entries) -> None:
    """Each line that a request logs has the id of that request, also while another request is being served."""
    both_are_here = asyncio.Barrier(2)

    async def meet(_request: Request) -> Response:
        await both_are_here.wait()
        log.info("met")
        return PlainTextResponse(current_correlation_id())

    async def ask() -> str:
        transport = httpx2.ASGITransport(RequestLog(Route("/meet", meet).app))
        async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return (await client.get("/meet")).text

    async def scenario() -> tuple[str, str]:
        return await asyncio.gather(ask(), ask())

    ids = asyncio.run(scenario())
    assert len(set(ids)) == 2
    assert Counter((entry["event"], entry["correlation_id"]) for entry in entries) == Counter(
        (event, found) for event in ("met", "request") for found in ids
    )


@pytest.mark.parametrize(
    ("path", "status", "event", "retry_after"),
    [("/fail/DE--25", 500, "fault", None), ("/outage", 503, "database unavailable", "5")],
)
def test_a_fault_is_masked_and_logged_once(  # noqa: PLR0917 - cases and fixtures
    client: TestClient, entries: Entries, path: str, status: int, event: str, retry_after: str | None
) -> None:
    """An exception is logged under the id that the client gets, and its text is not sent."""
    response = client.get(path)
    correlation_id = response.headers["x-correlation-id"]
    assert (response.status_code, response.headers.get("retry-after")) == (status, retry_after)
    text = {500: "Internal Server Error", 503: f"not available right now. Correlation id: {correlation_id}"}[status]
    assert response.text.endswith(text)
    assert SECRET not in response.text
    fault, request = entries
    assert (fault["event"], fault["log_level"], fault["correlation_id"]) == (event, "error", correlation_id)
    assert (request["event"], request["status"], request["correlation_id"]) == ("request", status, correlation_id)


def test_an_answer_that_has_begun_is_cut_off(client: TestClient, entries: Entries) -> None:
    """An exception after the start of a response is raised, so that the server closes the connection."""
    with pytest.raises(ValueError, match=SECRET):
        client.get("/half")
    assert [(entry["event"], entry.get("status")) for entry in entries] == [("fault", None), ("request", 200)]


def test_what_is_no_http_request_passes_by(client: TestClient, entries: Entries) -> None:
    """Other scopes than HTTP pass through unlogged."""
    with client.websocket_connect("/socket") as socket:
        assert socket.receive_text() == "hello"
    assert entries == []


def test_the_deadline_begins_anew_with_the_last_byte_of_the_body() -> None:
    """The time that a client takes to send its body is not counted against its request."""
    parts: list[Message] = [
        {"type": "http.request", "more_body": True},
        {"type": "http.request"},
        {"type": "http.disconnect"},
    ]
    found: list[float] = []

    async def application(_scope: Scope, receive: Receive, _send: Send) -> None:
        for _ in range(3):
            found.append(current())
            await receive()
        found.append(current())

    async def receive() -> Message:
        return parts.pop(0)

    async def send(_message: Message) -> None:
        raise AssertionError("there is no answer")

    before = time.monotonic()
    asyncio.run(RequestLog(application, longest=60)({"type": "http", "method": "POST"}, receive, send))
    at_the_head, at_a_part, at_the_end, afterwards = found
    assert before + 60 <= at_the_head == at_a_part < at_the_end == afterwards <= time.monotonic() + 60

"""Answers as server-sent events, as "GraphQL over SSE" has its distinct connections mode."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.types import Message
from structlog.testing import capture_logs

from graphql_api.http.event_stream import CLOSING, EVENT_STREAM, Body, EventStream, EventStreams
from graphql_api.settings import GatewaySettings
from harness.ports import free_port
from registration.keys.handles import LENGTH, handle_of
from registration.storage.database import open_database
from tests.graphql_api.installation import FORM, Installation
from tests.graphql_api.sample_schema import make_app
from tests.in_process import installation as running

FOLLOW = "subscription ($handle: String!) { registration(handle: $handle) { state } }"
LOOK = "query ($handle: String!) { registration(handle: $handle) { state } }"
CREATE = """
mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) { ... on CreateCustomerSuccess { handle } } }
"""
CONFIRM = "mutation ($input: ConfirmCustomerInput!) { confirmCustomer(input: $input) { __typename } }"


def stream(installation: Installation, query: str, **variables: object) -> httpx2.Response:
    return installation.post(query, variables, accept=EVENT_STREAM)


def events(response: httpx2.Response) -> list[Any]:
    """The bodies of the events `next`; the last event must be `complete`."""
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    *bodies, complete, end = response.text.split("\n\n")
    assert (complete, end) == ("event: complete\ndata:", "")
    assert all(body.startswith("event: next\ndata: ") for body in bodies)
    return [json.loads(body.removeprefix("event: next\ndata: ")) for body in bodies]


def codes(response: httpx2.Response) -> list[str]:
    [body] = events(response)
    return [error["extensions"]["code"] for error in body["errors"]]


@pytest.fixture
def handle(installation: Installation) -> str:
    """The handle of a customer that just signed up."""
    return str(installation.mutate(CREATE, FORM)["handle"])


class TestARegistration:
    def test_that_is_settled_is_told_once(self, installation: Installation, handle: str) -> None:
        """The subscription to a confirmed sign-up tells that and is complete; the query tells the same."""
        assert installation.post(LOOK, {"handle": handle}).json() == {"data": {"registration": {"state": "PENDING"}}}
        (key,) = installation.confirmation_keys()
        installation.mutate(CONFIRM, {"token": key})
        told = {"data": {"registration": {"state": "CONFIRMED"}}}
        assert events(stream(installation, FOLLOW, handle=handle)) == [told]
        assert installation.post(LOOK, {"handle": handle}).json() == told

    @pytest.mark.parametrize("unknown", ["", "A" * LENGTH])
    def test_without_a_handle_of_ours_is_null(self, installation: Installation, unknown: str) -> None:
        """An unknown handle is answered null by both, and the subscription is complete."""
        assert events(stream(installation, FOLLOW, handle=unknown)) == [{"data": {"registration": None}}]
        assert installation.post(LOOK, {"handle": unknown}).json() == {"data": {"registration": None}}


class TestAStream:
    def test_takes_any_operation(self, installation: Installation, handle: str) -> None:
        """A query and a mutation are answered with one event, then the stream is complete."""
        assert events(stream(installation, LOOK, handle=handle)) == [{"data": {"registration": {"state": "PENDING"}}}]
        [body] = events(stream(installation, CREATE, input=FORM | {"email": "eve@example.org"}))
        assert len(body["data"]["createCustomer"]["handle"]) == LENGTH

    def test_tells_errors_of_the_request_as_an_event(self, installation: Installation) -> None:
        """What is wrong with a document or its variables is one event, without a value that was sent."""
        assert codes(stream(installation, "{")) == ["GRAPHQL_PARSE_FAILED"]
        assert codes(stream(installation, "subscription { registration { state } }")) == ["GRAPHQL_VALIDATION_FAILED"]
        assert codes(stream(installation, FOLLOW)) == ["BAD_USER_INPUT"]
        wrong = stream(installation, FOLLOW, handle=["secret"])
        assert codes(wrong) == ["BAD_USER_INPUT"]
        assert "secret" not in wrong.text
        many = "subscription {" + " ".join(f"a{n}: __typename" for n in range(50)) + "}"
        assert codes(stream(installation, many)) == ["LIMIT_EXCEEDED"]

    def test_is_needed_for_a_subscription(self, installation: Installation, handle: str) -> None:
        """A subscription without Accept: text/event-stream is refused."""
        (error,) = installation.post(FOLLOW, {"handle": handle}).json()["errors"]
        assert error["extensions"]["code"] == "SUBSCRIPTION_NOT_ALLOWED"

    def test_is_not_begun_for_what_is_no_request(self, installation: Installation) -> None:
        """What is not GraphQL over HTTP is answered as JSON, with its status."""
        answer = installation.client.post("/graphql", json={}, headers={"accept": EVENT_STREAM})
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json; charset=utf-8")
        by_hash = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}
        answer = installation.client.post("/graphql", json=by_hash, headers={"accept": EVENT_STREAM})
        assert answer.json()["errors"][0]["message"] == "PersistedQueryNotFound"

    def test_is_not_offered_where_none_may_be_open(self, sqlite_url: str) -> None:
        """With GATEWAY_EVENT_STREAMS=0 a client that takes JSON, too, gets JSON, and any other 406."""
        with running(open_database(sqlite_url), GatewaySettings(event_streams=0)) as installed:
            for accept, status in ((f"{EVENT_STREAM}, application/json", 200), (EVENT_STREAM, 406)):
                headers = {"accept": accept}
                answer = installed.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
                assert answer.status_code == status
                assert answer.headers["content-type"] == "application/json; charset=utf-8"

    def test_needs_room(self) -> None:
        """Where no more streams may be open, the answer is 503 with Retry-After."""
        streams = EventStreams(lambda _: "", 1)
        request = Request({"type": "http", "headers": []})
        with TestClient(make_app(streams=streams)) as client, streams.one_more(request):
            answer = client.post("/graphql", json={"query": "{ __typename }"}, headers={"accept": EVENT_STREAM})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")

    def test_tells_of_an_outage_and_leaves_the_subscription_open(self) -> None:
        """A subscription that begins in an outage gets its error as an event and no `complete`; it is logged once."""
        nowhere = open_database(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing", wait=0.1)
        with running(nowhere, GatewaySettings()) as installed, capture_logs() as entries:
            handle = handle_of(installed.services.secret, uuid4(), installed.clock.now)
            body = {"query": FOLLOW, "variables": {"handle": handle}}
            answer = installed.client.post("/graphql", json=body, headers={"accept": EVENT_STREAM})
        event, end = answer.text.split("\n\n")
        told = json.loads(event.removeprefix("event: next\ndata: "))
        assert (answer.status_code, told.keys(), end) == (200, {"errors"}, "")
        [error] = told["errors"]
        assert error["extensions"] == {
            "code": "UNAVAILABLE",
            "correlationId": answer.headers["x-correlation-id"],
        }
        assert [entry["event"] for entry in entries if entry["log_level"] == "error"] == ["graphql.unavailable"]


def test_streams_are_counted_by_client() -> None:
    """A client may have some streams open, all clients together others; what ends makes room."""
    streams = EventStreams(lambda request: request.headers["client"], 3, 2)

    def of(client: str) -> Request:
        return Request({"type": "http", "headers": [(b"client", client.encode())]})

    with streams.one_more(of("192.0.2.1")) as first, streams.one_more(of("192.0.2.1")) as second:
        with streams.one_more(of("192.0.2.1")) as third:
            assert (first, second, third) == (True, True, False)
        with streams.one_more(of("192.0.2.2")) as other, streams.one_more(of("192.0.2.3")) as surplus:
            assert (other, surplus) == (True, False)
    with streams.one_more(of("192.0.2.1")) as again:
        assert again


async def never() -> None:
    await asyncio.Event().wait()


async def one_then_nothing() -> AsyncIterator[Body]:
    yield {"data": 1}
    await never()


def sent_by(
    bodies: AsyncIterator[Body],
    gone: Callable[[], Awaitable[None]] = never,
    *,
    closing: bool = False,
    longest: float = 900,
    heartbeat: float = 900,
) -> list[bytes]:
    """The parts of the body that a stream sends; the server closes the connection after the first event, if it may."""

    async def scene() -> list[bytes]:
        parts: list[bytes] = []
        event = asyncio.Event()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                parts.append(message["body"])
                assert message["more_body"] is bool(message["body"])
                if closing:
                    event.set()

        response = EventStream(bodies, gone, EventStreams(lambda _: "", 1, 0, longest, heartbeat=heartbeat))
        await response({"type": "http", CLOSING: lambda: event}, asyncio.Event().wait, send)  # type: ignore[arg-type]
        assert len(asyncio.all_tasks()) == 1
        return parts

    return asyncio.run(scene())


async def at_once() -> None:
    """A client that has gone."""


NEXT = b'event: next\ndata: {"data":1}\n\n'


def test_a_stream_that_has_no_end_is_ended() -> None:
    """After its longest time, when the server stops or the client has gone, a stream ends without `complete`."""
    assert sent_by(one_then_nothing(), longest=0.01)[-2:] == [NEXT, b""]
    assert sent_by(one_then_nothing(), closing=True) == [NEXT, b""]
    assert sent_by(one_then_nothing(), gone=at_once)[-1] == b""


def test_a_stream_says_that_it_lives() -> None:
    """Between events comes a comment, which clients ignore."""
    parts = sent_by(one_then_nothing(), longest=0.2, heartbeat=0.001)
    assert parts[0] == NEXT
    assert set(parts[1:-1]) == {b":\n\n"}

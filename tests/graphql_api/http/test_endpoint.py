import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from graphql_api.http.body import BODY_LIMIT
from graphql_api.http.negotiation import is_json, preferred
from tests.graphql_api.sample_schema import (
    CREATE,
    VALID_INPUT,
    SampleContext,
    make_app,
    make_executor,
)

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """A client that raises what the application raises, so that no test overlooks a 500."""
    with TestClient(make_app()) as client:
        yield client


def post(client: TestClient, body: Any, accept: str = GRAPHQL) -> httpx2.Response:
    return client.post("/graphql", json=body, headers={"accept": accept})


def post_bytes(client: TestClient, body: bytes, content_type: str = JSON) -> httpx2.Response:
    return client.post("/graphql", content=body, headers={"content-type": content_type})


def message(response: httpx2.Response) -> str:
    (error,) = response.json()["errors"]
    return str(error["message"])


class TestAnswers:
    @pytest.mark.parametrize(
        ("accept", "media_type"),
        [
            (JSON, JSON),
            (GRAPHQL, GRAPHQL),
            ("*/*", JSON),
            ("application/*", JSON),
            (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
            (f"{JSON}, {GRAPHQL};q=0.9", JSON),
            (f"{GRAPHQL}; charset=utf-8, text/html", GRAPHQL),
            (f"*/*;q=0.1, {GRAPHQL}", GRAPHQL),
            # What Java's HttpURLConnection sends by itself.
            ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", JSON),
        ],
    )
    def test_in_the_media_type_that_the_client_prefers(self, client: TestClient, accept: str, media_type: str) -> None:
        """The answer has the media type that the client prefers, in UTF-8, and not cached."""
        response = post(client, {"query": '{ hello(name: "Zoë") }'}, accept)
        assert (response.status_code, response.json()) == (200, {"data": {"hello": "Hello Zoë"}})
        assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"

    def test_queries_by_get(self, client: TestClient) -> None:
        """A query by GET takes variables and an operation name from the URL."""
        parameters = {
            "query": "query A($n: String!) { hello(name: $n) } query B { b: hello }",
            "variables": json.dumps({"n": "Ada"}),
            "operationName": "A",
            "extensions": "{}",
        }
        response = client.get("/graphql", params=parameters)
        assert response.json() == {"data": {"hello": "Hello Ada"}}

    def test_empty_parameters_of_a_url_like_absent_ones(self, client: TestClient) -> None:
        """A parameter without a value counts as absent."""
        empty = dict.fromkeys(("variables", "extensions", "operationName", "documentId"), "")
        assert client.get("/graphql", params={"query": "{ hello }"} | empty).json() == {"data": {"hello": "Hello you"}}

    def test_browsers_with_graphiql(self, client: TestClient) -> None:
        """A client that prefers HTML to JSON gets GraphiQL."""
        browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        assert "GraphiQL" in client.get("/graphql", headers={"accept": browser}).text
        assert "errors" in client.get("/graphql", headers={"accept": "*/*"}).json()

    def test_browsers_with_graphiql_even_where_queries_by_get_are_off(self) -> None:
        """GraphiQL is served even where queries by GET are off."""
        with TestClient(make_app(queries_by_get=False)) as client:
            assert "GraphiQL" in client.get("/graphql", headers={"accept": "text/html"}).text
            assert client.get("/graphql", params={"query": "{ hello }"}).status_code == 405

    def test_null_parameters_like_absent_ones(self, client: TestClient) -> None:
        """Parameters that are null count as absent."""
        body = {"query": "{ hello }", "variables": None, "operationName": None, "extensions": None}
        assert post(client, body).json() == {"data": {"hello": "Hello you"}}


class TestStatus:
    @pytest.mark.parametrize(
        "body",
        [
            {"query": "{"},
            {"query": "{ unknown }"},
            {"query": "{ hello } " * 11},
            {"query": "query A { hello } query B { hello }"},
            {"query": "query A { hello }", "operationName": "B"},
            {"query": CREATE, "variables": {"input": {**VALID_INPUT, "name": None}}},
        ],
    )
    def test_of_a_request_error(self, client: TestClient, body: dict[str, Any]) -> None:
        """A request error is 400 in the new media type and 200 in the legacy one, without data."""
        new, legacy = post(client, body, GRAPHQL), post(client, body, JSON)
        assert (new.status_code, legacy.status_code) == (400, 200)
        assert new.json() == legacy.json()
        assert new.json().keys() == {"errors"}

    @pytest.mark.parametrize("accept", [GRAPHQL, JSON])
    def test_of_a_partial_answer(self, client: TestClient, accept: str) -> None:
        """Errors of single fields leave the status at 200."""
        response = post(client, {"query": "{ hello me }"}, accept)
        assert response.status_code == 200
        assert response.json()["data"] == {"hello": "Hello you", "me": None}

    @pytest.mark.parametrize("accept", [GRAPHQL, JSON])
    def test_of_an_outage(self, client: TestClient, accept: str) -> None:
        """An outage is answered 503 with Retry-After in both media types."""
        response = post(client, {"query": "{ outage }"}, accept)
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) >= 1
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"

    @pytest.mark.parametrize("accept", [GRAPHQL, JSON])
    def test_of_overload(self, accept: str) -> None:
        """Overload is answered 503 with Retry-After, and the sign-up does not run."""

        async def scenario() -> None:
            context = SampleContext(gate=asyncio.Event())
            app = make_app(executor=make_executor(slots=1, deadline=0.01), context_for=lambda _: context)
            body = {"query": CREATE, "variables": {"input": VALID_INPUT}}
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://testserver") as client:
                under_way = [asyncio.create_task(client.post("/graphql", json=body)) for _ in range(3)]
                await context.arrivals(3)
                refused = await client.post("/graphql", json=body, headers={"accept": accept})
                assert refused.status_code == 503
                assert refused.headers["retry-after"] == "1"
                assert refused.json().keys() == {"errors"}
                assert refused.json()["errors"][0]["extensions"]["code"] == "OVERLOADED"
                assert context.gate is not None
                context.gate.set()
                assert {response.status_code for response in await asyncio.gather(*under_way)} == {200}
                assert len(context.created) == 3

        asyncio.run(scenario())

    def test_of_a_mutation_by_get(self, client: TestClient) -> None:
        """A mutation by GET is answered 405 with `Allow: POST`."""
        response = client.get("/graphql", params={"query": "mutation { touch }"})
        assert (response.status_code, response.headers["allow"]) == (405, "POST")
        assert response.json()["errors"][0]["extensions"]["code"] == "MUTATION_NOT_ALLOWED"

    @pytest.mark.parametrize(("queries_by_get", "allow"), [(True, "GET, POST"), (False, "POST")])
    def test_of_any_other_method(self, queries_by_get: bool, allow: str) -> None:
        """Any other method is answered 405 with the allowed ones."""
        with TestClient(make_app(queries_by_get=queries_by_get, graphiql=None)) as client:
            for method in ("PUT", "DELETE", "OPTIONS", "HEAD", *([] if queries_by_get else ["GET"])):
                response = client.request(method, "/graphql", params={"query": "{ hello }"})
                assert (response.status_code, response.headers["allow"]) == (405, allow)

    @pytest.mark.parametrize("accept", ["text/html", "image/*", f"{JSON};q=0, text/plain", "*/*;q=0", "nonsense"])
    def test_of_a_media_type_that_we_do_not_speak(self, client: TestClient, accept: str) -> None:
        """An Accept header without a known media type is answered 406 in JSON."""
        response = post(client, {"query": "{ hello }"}, accept)
        assert (response.status_code, response.headers["content-type"]) == (406, f"{JSON}; charset=utf-8")

    @pytest.mark.parametrize(
        "content_type",
        ["", "text/plain", "application/x-www-form-urlencoded", f"{JSON}; charset=utf-16", "multipart/form-data"],
    )
    def test_of_a_body_that_is_no_json(self, client: TestClient, content_type: str) -> None:
        """A body that is not JSON in UTF-8 by its Content-Type is answered 415."""
        assert post_bytes(client, b'{"query": "{ hello }"}', content_type).status_code == 415

    @pytest.mark.parametrize("content_type", [JSON, f"{JSON}; charset=UTF-8", 'Application/JSON;charset="utf-8"'])
    def test_of_a_body_that_is_json(self, client: TestClient, content_type: str) -> None:
        """A Content-Type of JSON may name UTF-8, in any case."""
        assert post_bytes(client, b'{"query": "{ hello }"}', content_type).status_code == 200


class TestBadRequests:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (b"", "The body is empty."),
            (b"{", "The body is not valid JSON (line 1, column 2)."),
            (b"\xff", "The body is not valid UTF-8 (byte 0)."),
            (b"\xef\xbb\xbf{}", "The body starts with a byte order mark."),
            (b'{"query": NaN}', "The body holds NaN, which JSON does not have."),
            (b'{"query": "{ a }", "query": "{ b }"}', "The body names the key 'query' more than once in one object."),
            (rb'{"query": "{ hello }", "variables": {"a": "\ud800"}}', "The body holds half of a surrogate pair."),
            (b"[" * 10_000, "The body holds more than 1000 members and items."),
            (b"[" * 900 + b"]" * 900, "The body is nested more than 64 levels deep."),
            (b'{"variables": ' + b'{"a":' * 900 + b"1" + b"}" * 901, "The body is nested more than 64 levels deep."),
            (
                b'{"query": "{ hello }", "variables": {"a": ' + b"9" * 5000 + b"}}",
                "The body holds a number with too many digits.",
            ),
            (b"1", "The body must be a JSON object."),
            (b'"x"', "The body must be a JSON object."),
            (b"null", "The body must be a JSON object."),
            (b"true", "The body must be a JSON object."),
            (b'[{"query": "{ hello }"}]', "Batches are not supported: send one operation in one request."),
            (b"{}", "The parameter 'query' must be a string."),
            (b'{"query": 1}', "The parameter 'query' must be a string."),
            (b'{"query": "{ hello }", "variables": "{}"}', "The parameter 'variables' must be an object."),
            (b'{"query": "{ hello }", "variables": []}', "The parameter 'variables' must be an object."),
            (b'{"query": "{ hello }", "operationName": 1}', "The parameter 'operationName' must be a string."),
            (b'{"query": "{ hello }", "extensions": 1}', "The parameter 'extensions' must be an object."),
        ],
    )
    def test_are_told_what_is_wrong(self, client: TestClient, body: bytes, expected: str) -> None:
        """A wrong request is answered 400 with one sentence, in the legacy media type as well."""
        response = post_bytes(client, body)
        assert (response.status_code, message(response)) == (400, expected)
        assert response.json()["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}

    @pytest.mark.parametrize(
        ("parameters", "expected"),
        [
            ({}, "The parameter 'query' must be a string."),
            (
                {"query": "{ hello }", "variables": "{"},
                "The parameter 'variables' is not valid JSON (line 1, column 2).",
            ),
            ({"query": "{ hello }", "variables": "[]"}, "The parameter 'variables' must be an object."),
            ({"query": "{ hello }", "extensions": "1"}, "The parameter 'extensions' must be an object."),
        ],
    )
    def test_by_get_too(self, client: TestClient, parameters: dict[str, str], expected: str) -> None:
        """Wrong parameters of a URL are answered with the same sentences."""
        response = client.get("/graphql", params=parameters)
        assert (response.status_code, message(response)) == (400, expected)


class TestEncodedBodies:
    @pytest.mark.parametrize("coding", ["gzip", "GZIP", "br", "identity, gzip", "x"])
    def test_are_refused(self, client: TestClient, coding: str) -> None:
        """A body with a Content-Encoding is 415, and the answer says that none is taken (RFC 9110, 8.4, 15.5.16)."""
        headers = {"content-type": JSON, "content-encoding": coding}
        response = client.post("/graphql", content=b'{"query": "{ hello }"}', headers=headers)
        assert (response.status_code, message(response)) == (415, "The body must have no Content-Encoding.")
        assert response.headers["accept-encoding"] == "identity"

    @pytest.mark.parametrize("coding", ["identity", " Identity , identity", ""])
    def test_identity_is_none(self, client: TestClient, coding: str) -> None:
        """The coding `identity` is no coding."""
        headers = {"content-type": JSON, "content-encoding": coding}
        assert client.post("/graphql", content=b'{"query": "{ hello }"}', headers=headers).status_code == 200


class TestBodyLimit:
    def test_a_body_of_just_the_limit_is_read(self, client: TestClient) -> None:
        """A body of exactly the limit is accepted."""
        assert post_bytes(client, b'{"query": "{ hello }"}'.ljust(BODY_LIMIT)).status_code == 200

    def test_a_larger_body_is_refused(self, client: TestClient) -> None:
        """A larger body is answered 413 with the limit."""
        response = post_bytes(client, b'{"query": "{ hello }"}'.ljust(BODY_LIMIT + 1))
        assert (response.status_code, message(response)) == (413, "The body is larger than 65536 bytes.")

    @pytest.mark.parametrize("length", [str(BODY_LIMIT + 1), "9" * 5000])
    def test_an_announced_body_is_refused_unread(self, length: str) -> None:
        """A Content-Length above the limit is answered 413 before the body arrives."""
        headers = [(b"content-type", b"application/json"), (b"content-length", length.encode())]
        assert asyncio.run(status_of(headers, [])) == 413

    def test_a_body_that_never_ends_is_not_read_on(self) -> None:
        """A body without Content-Length is read up to the limit."""
        chunk: Message = {"type": "http.request", "body": b" " * 40_000, "more_body": True}
        messages = [chunk] * 5
        assert asyncio.run(status_of([(b"content-type", b"application/json")], messages)) == 413
        assert len(messages) == 3

    def test_a_body_that_breaks_off_is_no_fault_of_ours(self) -> None:
        """A client that disconnects within the body causes no exception."""
        messages: list[Message] = [
            {"type": "http.request", "body": b'{"query": ', "more_body": True},
            {"type": "http.disconnect"},
        ]
        assert asyncio.run(status_of([(b"content-type", b"application/json")], messages)) == 400


async def status_of(headers: list[tuple[bytes, bytes]], messages: list[Message]) -> int:
    """The status of a POST of these messages; it fails if the endpoint reads more than them."""
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": headers, "query_string": b""}
    await make_app()(scope, receive, send)
    return int(sent[0]["status"])


class TestDisconnect:
    def test_a_client_that_disconnects_in_the_queue_is_not_signed_up(self) -> None:
        """The server's disconnect message takes a waiting client out of the queue."""

        async def scenario() -> None:
            context = SampleContext(gate=asyncio.Event())
            app = make_app(executor=make_executor(slots=1), context_for=lambda _: context)
            body = json.dumps({"query": CREATE, "variables": {"input": VALID_INPUT}}).encode()
            hang_up = asyncio.Event()

            async def post() -> int:
                messages: list[Message] = [{"type": "http.request", "body": body}, {"type": "http.request"}]
                sent: list[Message] = []

                async def receive() -> Message:
                    if messages:
                        return messages.pop(0)
                    await hang_up.wait()
                    return {"type": "http.disconnect"}

                async def send(message: Message) -> None:
                    sent.append(message)

                headers = [(b"content-type", b"application/json")]
                scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": headers, "query_string": b""}
                await app(scope, receive, send)
                return int(sent[0]["status"])

            posts = [asyncio.create_task(post()) for _ in range(4)]
            await context.arrivals(3)
            hang_up.set()
            assert await posts[3] == 503
            assert context.gate is not None
            context.gate.set()
            assert await asyncio.gather(*posts[:3]) == [200, 200, 200]
            assert len(context.created) == 3

        asyncio.run(scenario())


class TestNegotiation:
    @pytest.mark.parametrize(
        ("accept", "expected"),
        [
            ("", "a/x"),
            ("b/y", "b/y"),
            ("a/*;q=0.5, b/y;q=0.4", "a/x"),
            ("b/*, a/x;q=0.9", "b/y"),
            ("*/*, b/y", "b/y"),
            ("b/y, a/x", "b/y"),
            ("a/x;q=7, b/y;q=0.1", "b/y"),
            ("*/*, a/x;q=0", "b/y"),
            ("c/z", None),
            ("*/*;q=0.000", None),
            (",,;;=,", None),
            ("a/x;q=.2, b/y;q=.3", "b/y"),
            ("a/x;q=0.33333, b/y;q=0.4", "b/y"),
            ("a/x;q=., b/y;q=1.0000", "b/y"),
            ("c/z, *; q=.2", "a/x"),
            ("*;q=0", None),
        ],
    )
    def test_prefers_quality_then_exactness_then_order(self, accept: str, expected: str | None) -> None:
        """The offer with the highest quality wins, then the most exact, then the first; quality 0 refuses it."""
        assert preferred(accept, ("a/x", "b/y")) == expected

    @pytest.mark.parametrize(
        ("content_type", "json"), [("application/json;a=b", True), ("application/jsonp", False), (";", False)]
    )
    def test_knows_json(self, content_type: str, json: bool) -> None:
        """Only application/json is JSON, with any parameters besides charset."""
        assert is_json(content_type) is json

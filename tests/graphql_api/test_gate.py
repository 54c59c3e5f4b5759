"""The gate: whom it refuses while there is no room, in which words, and whom it lets by."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import Scope
from structlog.testing import capture_logs

from graphql_api.admission import Admission
from graphql_api.gate import LOG_SECONDS, Gate
from rest_compat import overload
from tests.graphql_api.sample_schema import CREATE, SECRET, VALID_INPUT, make_endpoint, make_executor

GRAPHQL = json.dumps({"query": CREATE, "variables": {"input": VALID_INPUT}}).encode()
REST = b'{"data": "anything"}'
JSON_HEADERS = {"content-type": "application/json"}
TWO = f"{CREATE.replace('mutation', 'mutation A')} query B {{ hello }}"


def scope(path: str, headers: dict[str, str] | None = None, method: str = "POST") -> Scope:
    given = JSON_HEADERS if headers is None else headers
    raw = [(name.encode(), value.encode()) for name, value in given.items()]
    return {"type": "http", "method": method, "path": path, "query_string": b"", "headers": raw}


async def gate_with(work: Callable[[Gate], Awaitable[None]], *, is_full: bool = True) -> None:
    """A gate in front of both doors, whose admission has one place, taken or free; the endpoint knows its documents."""
    admission = Admission(capacity=1, deadline=0.0, clock=lambda: 0.0)
    executor = make_executor(admission=admission)
    for document in (CREATE, TWO, "{ hello }"):
        executor._documents.operations(document)
    endpoint = make_endpoint(executor)
    gate = Gate(admission, {"/graphql": endpoint.refuse} | dict.fromkeys(overload.SIGN_UP_PATHS, overload.refuse))
    if is_full:
        await admission.run(lambda: work(gate))
    else:
        await work(gate)


def refusal(path: str, body: bytes, headers: dict[str, str] | None = None, *, is_full: bool = True) -> bytes | None:
    answers = []

    async def ask(gate: Gate) -> None:
        answers.append(gate.refuse(scope(path, headers), body))

    asyncio.run(gate_with(ask, is_full=is_full))
    return answers[0]


def parsed(answer: bytes | None) -> tuple[str, dict[str, str], Any]:
    assert answer is not None
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert int(headers["content-length"]) == len(body)
    return status, headers, json.loads(body)


class TestRefuses:
    @pytest.mark.parametrize("accept", ["*/*", "application/json", "application/graphql-response+json"])
    def test_a_sign_up_through_graphql(self, accept: str) -> None:
        """As the endpoint itself would, in the media type that was asked for."""
        status, headers, answer = parsed(refusal("/graphql", GRAPHQL, JSON_HEADERS | {"accept": accept}))
        assert status == "HTTP/1.1 503 Service Unavailable"
        assert headers["retry-after"] == "1"
        assert headers["content-type"].startswith("application/json" if accept == "*/*" else accept)
        (error,) = answer["errors"]
        assert error["extensions"] == {"code": "OVERLOADED", "retryAfterSeconds": 1}
        assert answer.keys() == {"errors"}

    def test_the_one_operation_of_several_that_hashes(self) -> None:
        """The name chooses."""
        body = json.dumps({"query": TWO, "operationName": "A", "variables": {"input": VALID_INPUT}}).encode()
        assert parsed(refusal("/graphql", body))[0].startswith("HTTP/1.1 503")

    @pytest.mark.parametrize("path", ["/customers", "/customers/"])
    def test_a_sign_up_through_the_legacy_door(self, path: str) -> None:
        """With the headers that all its answers have, before anybody reads the document."""
        status, headers, answer = parsed(refusal(path, REST, {"accept-language": "de"}))
        assert status == "HTTP/1.1 503 Service Unavailable"
        assert headers["retry-after"] == "1"
        assert headers["content-type"] == "application/vnd.api+json"
        assert headers["content-language"] == "de_DE"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        (error,) = answer["errors"]
        assert (error["status"], error["code"]) == (503, "9503")

    def test_and_says_so_once_a_second(self) -> None:
        """A flood must not flood the log; and no line holds what was sent."""

        async def flood(gate: Gate) -> None:
            for _ in range(100):
                assert gate.refuse(scope("/graphql"), GRAPHQL)
            await asyncio.sleep(LOG_SECONDS * 1.5)
            assert gate.refuse(scope("/graphql"), GRAPHQL)
            await asyncio.sleep(LOG_SECONDS * 1.5)

        with capture_logs() as entries:
            asyncio.run(gate_with(flood))
        assert [(entry["event"], entry["refused"]) for entry in entries] == [("overloaded", 100), ("overloaded", 1)]
        assert SECRET not in str(entries)


class TestLetsBy:
    @pytest.mark.parametrize(
        "body",
        [
            json.dumps({"query": "{ hello }"}).encode(),
            json.dumps({"query": TWO, "operationName": "B"}).encode(),
            json.dumps({"query": TWO}).encode(),
            json.dumps({"query": CREATE + " "}).encode(),
            json.dumps({"query": 1}).encode(),
            b"{",
            b"[]",
            b"",
        ],
        ids=["read", "another operation", "no name", "unknown document", "no text", "no JSON", "batch", "nothing"],
    )
    def test_what_is_no_sign_up_for_sure(self, body: bytes) -> None:
        """The endpoint has other words for it."""
        assert refusal("/graphql", body) is None

    @pytest.mark.parametrize(
        ("path", "headers"),
        [
            ("/graphql", {}),
            ("/graphql", {"content-type": "text/plain"}),
            ("/graphql", JSON_HEADERS | {"accept": "image/png"}),
            ("/customers", {"content-type": " "}),
            ("/customers", {"content-type": "application/json; version=1.0"}),
        ],
    )
    def test_who_has_wrong_headers(self, path: str, headers: dict[str, str]) -> None:
        """Nor does a sign-up with another mistake hear of overload first."""
        assert refusal(path, GRAPHQL if path == "/graphql" else REST, headers) is None

    def test_everybody_while_there_is_room(self) -> None:
        """Also who had to wait for the body, and room was made meanwhile."""
        assert refusal("/graphql", GRAPHQL, is_full=False) is None

    def test_at_a_glance(self) -> None:
        """Nobody's body is waited for but that of a sign-up while there is no room."""
        seen: dict[bool, list[bool]] = {True: [], False: []}

        for is_full in (True, False):

            async def look(gate: Gate, is_full: bool = is_full) -> None:
                for path, method in (("/graphql", "POST"), ("/graphql", "GET"), ("/customers", "POST"), ("/", "POST")):
                    seen[is_full].append(gate.may_refuse(scope(path, method=method)))

            asyncio.run(gate_with(look, is_full=is_full))
        assert seen == {True: [True, False, True, False], False: [False] * 4}

"""The gate: whom it refuses while there is no room, in which words, and whom it lets by."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import Scope
from structlog.testing import capture_logs

from graphql_api.admission import PRUDENCE, Admission
from graphql_api.endpoint import LONGEST_KNOWN_OPENING
from graphql_api.gate import AWAKE_TURNS, KNOWN_HEADS, LOG_SECONDS, LONGEST_KNOWN_HEAD, MARGIN, Gate
from graphql_api.pause import Pause
from rest_compat import overload
from tests.graphql_api.sample_schema import CREATE, SECRET, VALID_INPUT, make_endpoint, make_executor

GRAPHQL = json.dumps({"query": CREATE, "variables": {"input": VALID_INPUT}}).encode()
REST = b'{"data": "anything"}'
CLIENT, OTHER = 7, 8
JSON_HEADERS = {"content-type": "application/json"}
TWO = f"{CREATE.replace('mutation', 'mutation A')} query B {{ hello }}"


def scope(path: str, headers: dict[str, str] | None = None, method: str = "POST") -> Scope:
    given = JSON_HEADERS if headers is None else headers
    raw = [(name.encode(), value.encode()) for name, value in given.items()]
    return {"type": "http", "method": method, "path": path, "query_string": b"", "headers": raw}


class Diary(Pause):
    """Writes down whom it heeds, and how often it was taken."""

    def __init__(self) -> None:
        self.heeded: set[int] = set()
        self.taken = 0

    def take(self, seconds: float) -> None:
        assert seconds
        self.taken += 1

    def heed(self, client: int) -> None:
        self.heeded.add(client)

    def ignore(self, client: int) -> None:
        self.heeded.discard(client)


async def turns() -> None:
    """Of the event loop, until the gate has rested."""
    for _ in range(AWAKE_TURNS + 2):
        await asyncio.sleep(0)


async def gate_with(
    work: Callable[[Gate], Awaitable[None]], *, is_full: bool = True, pause: Pause | None = None
) -> None:
    """A gate in front of both doors, whose admission has one place, taken or free; the endpoint knows its documents."""
    admission = Admission(capacity=1, deadline=0.0 if is_full else 60.0, clock=lambda: 0.0)
    executor = make_executor(admission=admission)
    for document in (CREATE, TWO, "{ hello }"):
        executor._documents.operations(document)
    endpoint = make_endpoint(executor)
    doors = {"/graphql": endpoint.refuse} | dict.fromkeys(overload.SIGN_UP_PATHS, overload.refuse)
    gate = Gate(admission, doors, pause or Diary())
    await admission.run(lambda: work(gate))


def refusal(path: str, body: bytes, headers: dict[str, str] | None = None, *, is_full: bool = True) -> bytes | None:
    answers = []

    async def ask(gate: Gate) -> None:
        answers.append(gate.refuse(scope(path, headers), body, b"", CLIENT))

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
                assert gate.refuse(scope("/graphql"), GRAPHQL, b"", CLIENT)
            await asyncio.sleep(LOG_SECONDS * 1.5)
            assert gate.refuse(scope("/graphql"), GRAPHQL, b"", CLIENT)
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
                    seen[is_full].append(gate.may_refuse(scope(path, method=method), CLIENT))

            asyncio.run(gate_with(look, is_full=is_full))
        assert seen == {True: [True, False, True, False], False: [False] * 4}


def whole(body: bytes, **headers: str) -> tuple[Scope, bytes, bytes]:
    """A sign-up as the server reads it: its head in two forms, and both as they came."""
    given = JSON_HEADERS | {"content-length": str(len(body))} | headers
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return scope("/graphql", given), body, f"POST /graphql HTTP/1.1\r\n{lines}\r\n".encode() + body


def variant(body: bytes, **members: object) -> bytes:
    """A body of the same length for somebody else, or what else is said."""
    changed = json.dumps(json.loads(body) | members).encode()
    return changed[:-1] + b" " * (len(body) - len(changed)) + b"}"


class TestKnows:
    """What was refused before is refused without being read again, as far as it is the same."""

    def refused(self, first: tuple[Scope, bytes, bytes], *reads: bytes) -> list[bool]:
        seen = []

        async def ask(gate: Gate) -> None:
            assert gate.refuse_known(first[2], CLIENT) is None
            answer = gate.refuse(*first, CLIENT)
            assert answer
            for read in reads:
                again = gate.refuse_known(read, CLIENT)
                assert again in {None, answer}
                seen.append(again is not None)

        asyncio.run(gate_with(ask))
        return seen

    def test_the_same_head_for_somebody_else(self) -> None:
        """In the same words; the body may differ in its variables."""
        first = whole(GRAPHQL)
        other = whole(GRAPHQL.replace(b"Ada", b"Eve"))
        assert other[2] != first[2]
        assert self.refused(first, first[2], other[2]) == [True, True]

    def test_neither_another_head_nor_another_length(self) -> None:
        """Part of a request, or one with another behind it."""
        first = whole(GRAPHQL)
        reads = [
            whole(GRAPHQL, accept="*/*")[2],
            first[2][:-1],
            first[2] + b" ",
            first[2] * 2,
            first[2][: -len(GRAPHQL)],
            GRAPHQL,
        ]
        assert self.refused(first, *reads) == [False] * len(reads)

    @pytest.mark.parametrize(
        "members",
        [{"query": "{ hello }"}, {"query": "{ unknown }"}, {"query": 1}],
        ids=["read", "unknown", "no text"],
    )
    def test_no_other_operation(self, members: dict[str, object]) -> None:
        """It is looked at in every body."""
        first = whole(GRAPHQL)
        assert self.refused(first, whole(variant(GRAPHQL, **members))[2], first[2]) == [False, True]

    def test_operations_that_are_chosen_behind_the_variables(self) -> None:
        """What stands before them says nothing then."""
        named = json.dumps({"query": TWO, "variables": {"input": VALID_INPUT}, "operationName": "A"}).encode()
        first = whole(named)
        other = whole(named.replace(b'"operationName": "A"', b'"operationName": "B"'))
        assert self.refused(first, other[2], first[2]) == [False, True]

    def test_no_name_of_a_key_for_the_key(self) -> None:
        """An opening that only mentions the query is none of its own."""
        odd = b'{"operationName": null, "extensions": {"a": "query"}, "variables": {}, "query": %s}'
        first = whole(odd % json.dumps(CREATE).encode())
        other = whole(variant(first[1], query="{ hello }"))
        assert self.refused(first, other[2], first[2]) == [False, True]

    @pytest.mark.parametrize("members", [{}, {"extensions": {"a": "b" * LONGEST_KNOWN_OPENING}}], ids=["short", "long"])
    def test_bodies_however_they_open(self, members: dict[str, object]) -> None:
        """A long opening is not kept, but read each time."""
        first = whole(json.dumps({"query": CREATE, **members, "variables": {"input": VALID_INPUT}}).encode())
        assert self.refused(first, first[2]) == [True]

    def test_no_end_of_a_head_that_was_not_read_at_once(self) -> None:
        """Empty lines alone, or a head whose last line has not come, are no request, even where a body is empty."""
        seen: list[bytes | None] = []

        async def ask(gate: Gate) -> None:
            empty = scope("/customers", {})
            for read in (b"", b"POST /customers HTTP/1.1\r\n\r\n", b"POST /customers HTTP/1.1\r\nA: b"):
                assert gate.refuse(empty, b"", read, CLIENT)
            reads = (b"\r\n\r\n", b"", b"POST /customers HTTP/1.1", b"POST /customers HTTP/1.1\r\nA: b")
            seen.extend(gate.refuse_known(read, CLIENT) for read in reads)

        asyncio.run(gate_with(ask))
        assert seen == [None] * 4

    @pytest.mark.parametrize(
        "headers",
        [
            {"authorization": "Bearer x"},
            {"cookie": "a=b"},
            {"idempotency-key": "0123456789abcdef"},
            {"a": "b" * LONGEST_KNOWN_HEAD},
        ],
    )
    def test_no_head_of_one_person_and_no_long_one(self, headers: dict[str, str]) -> None:
        """Secrets are not kept, nor what would fill the memory."""
        first = whole(GRAPHQL, **headers)
        assert self.refused(first, first[2]) == [False]

    def test_no_more_heads_and_openings_than_fit(self) -> None:
        """It begins anew then."""

        async def ask(gate: Gate) -> None:
            first = whole(GRAPHQL)
            gate.refuse(*first, CLIENT)
            for number in range(KNOWN_HEADS):
                assert gate.refuse_known(first[2], CLIENT)
                body = json.dumps({"query": CREATE, "extensions": {"number": number}, "variables": {}}).encode()
                gate.refuse(*whole(body, accept=f"application/json, a/{number}"), CLIENT)
            assert gate.refuse_known(first[2], CLIENT) is None

        asyncio.run(gate_with(ask))

    def test_nobody_while_there_is_room(self) -> None:
        """The application looks then."""

        async def ask(gate: Gate) -> None:
            first = whole(GRAPHQL)
            assert gate.refuse(*first, CLIENT)
            gate._admission._deadline = 60.0
            assert gate.refuse_known(first[2], CLIENT) is None

        asyncio.run(gate_with(ask))


class TestLetsNoMoreByThanFit:
    def test_into_the_last_places(self) -> None:
        """Whoever is let by is counted until he is in the queue: no burst goes the usual way to be refused there."""
        answers: list[bool] = []

        async def burst(gate: Gate) -> None:
            admission = gate._admission
            places = 3
            admission._deadline = places * admission.service_time / PRUDENCE
            for _ in range(2):
                assert gate.may_refuse(scope("/graphql"), CLIENT)
                answers.extend(gate.refuse(*whole(GRAPHQL), CLIENT) is not None for _ in range(places + 2))
                await turns()

        asyncio.run(gate_with(burst))
        assert answers == [False, False, False, True, True] * 2

    def test_while_more_than_the_margin_are_free(self) -> None:
        """Then bodies are not even waited for; but whoever is let by unseen may want a place."""
        seen: list[bool] = []

        async def burst(gate: Gate) -> None:
            admission = gate._admission
            admission._deadline = (MARGIN + 2) * admission.service_time / PRUDENCE
            for _ in range(2):
                methods = ("POST", "POST", "GET", "POST")
                seen.extend(gate.may_refuse(scope("/graphql", method=method), CLIENT) for method in methods)
                await turns()

        asyncio.run(gate_with(burst))
        assert seen == [False, False, False, True] * 2


class TestPauses:
    def diary_of(self, work: Callable[[Gate], None]) -> Diary:
        diary = Diary()

        async def then_wait(gate: Gate) -> None:
            work(gate)
            await turns()

        asyncio.run(gate_with(then_wait, pause=diary))
        return diary

    def test_once_for_all_whom_it_refused_together(self) -> None:
        """Known or not."""

        def refuse(gate: Gate) -> None:
            assert gate.refuse(*whole(GRAPHQL), CLIENT)
            assert gate.refuse_known(whole(GRAPHQL)[2], CLIENT)

        assert self.diary_of(refuse).taken == 1

    def test_not_while_it_only_lets_by(self) -> None:
        """Into the last places of the queue."""

        def let_by(gate: Gate) -> None:
            gate._admission._deadline = gate._admission.service_time / PRUDENCE
            assert gate.refuse(*whole(GRAPHQL), CLIENT) is None

        assert self.diary_of(let_by).taken == 0

    @pytest.mark.parametrize("path", ["/graphql", "/", "/customers"])
    def test_heeding_whoever_is_served(self, path: str) -> None:
        """Reads, and sign-ups that are wrong; from then on, and until they are refused in turn."""

        def serve(gate: Gate) -> None:
            served = scope(path, {"content-type": " "})
            assert gate.refuse(*whole(GRAPHQL), CLIENT)
            if gate.may_refuse(served, OTHER):
                assert gate.refuse(served, GRAPHQL, b"", OTHER) is None

        diary = self.diary_of(serve)
        assert diary.taken == 1
        assert diary.heeded == {OTHER}

    def test_for_those_who_were_refused(self) -> None:
        """Whatever they were before, and for those who are gone."""

        def come_and_go(gate: Gate) -> None:
            for client in (CLIENT, OTHER):
                gate.may_refuse(scope("/"), client)
            gate.refuse(*whole(GRAPHQL), CLIENT)
            gate.leave(OTHER)

        assert self.diary_of(come_and_go).heeded == set()

import asyncio
import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import ExecutionResult
from structlog.testing import capture_logs

from graphql_api.engine.outcome import Answer, Kind, answers_of
from registration.notes import with_notes
from tests.graphql_api.sample_schema import CORRELATION_ID, CREATE, SECRET, VALID_INPUT, codes, run


def run_and_log(query: str, variables: dict[str, Any] | None = None) -> tuple[Answer, list[dict[str, Any]], str]:
    """The answer, the log entries, and everything that both say, tracebacks included."""
    with capture_logs([with_notes]) as entries:
        answer = run(query, variables)
    traces = ["".join(traceback.format_exception(entry["exc_info"])) for entry in entries if "exc_info" in entry]
    return answer, [dict(entry) for entry in entries], "\n".join([str(answer), str(entries), *traces])


class TestFaults:
    def test_are_masked_and_logged_once(self) -> None:
        """A fault gives the client a correlation id and the log the exception; neither gets an argument."""
        answer, entries, everything = run_and_log("query ($p: String!) { broken(password: $p) }", {"p": SECRET})
        assert answer.kind is Kind.EXECUTED
        assert answer.data == {"broken": None}
        assert answer.errors is not None
        assert answer.errors[0]["path"] == ["broken"]
        assert answer.errors[0]["extensions"] == {"code": "INTERNAL_ERROR", "correlationId": CORRELATION_ID}
        assert "cable" not in str(answer)
        (entry,) = entries
        assert (entry["event"], entry["log_level"]) == ("graphql.internal_error", "error")
        assert entry["correlation_id"] == CORRELATION_ID
        assert "the cable is unplugged" in everything
        assert SECRET not in everything

    def test_in_a_document_with_literals_keep_the_document_out_of_the_log(self) -> None:
        """The log entry of a fault does not quote the document, whose literals may be a password."""
        _, entries, everything = run_and_log(f'{{ broken(password: "{SECRET}") }}')
        assert len(entries) == 1
        assert SECRET not in everything

    def test_of_graphql_core_are_logged_without_the_value(self) -> None:
        """A value of the wrong type is logged as a fault without the value."""
        answer, entries, everything = run_and_log("{ mistyped }")
        assert codes(answer) == ["INTERNAL_ERROR"]
        assert len(entries) == 1
        assert "could not complete a field" in everything
        assert SECRET not in everything

    def test_of_a_source_end_a_subscription(self) -> None:
        """A fault between two events is the last answer, masked and without data; it is logged once."""

        async def source() -> AsyncIterator[ExecutionResult]:
            yield ExecutionResult({"state": "PENDING"})
            raise ValueError("the cable is unplugged")

        async def answers() -> list[Answer]:
            return [answer async for answer in answers_of(source())]

        with capture_logs() as entries:
            first, last = asyncio.run(answers())
        assert first == Answer(Kind.EXECUTED, {"state": "PENDING"})
        assert (last.kind, last.data, codes(last)) == (Kind.REFUSED, None, ["INTERNAL_ERROR"])
        assert "cable" not in str(last)
        assert [entry["event"] for entry in entries] == ["graphql.internal_error"]

    def test_of_the_database_say_that_it_is_unavailable(self) -> None:
        """An outage of the database is answered UNAVAILABLE with the seconds to wait."""
        answer, entries, _ = run_and_log("{ outage }")
        assert answer.kind is Kind.UNAVAILABLE
        assert answer.retry_after is not None
        assert answer.errors is not None
        assert answer.errors[0]["extensions"] == {"code": "UNAVAILABLE", "correlationId": CORRELATION_ID}
        assert [entry["event"] for entry in entries] == ["graphql.unavailable"]


class TestMistakes:
    def test_of_authentication_are_neither_masked_nor_logged(self) -> None:
        """A protected field without a token is answered UNAUTHENTICATED, and nothing is logged."""
        answer, entries, _ = run_and_log("{ me hello }")
        assert answer.data == {"me": None, "hello": "Hello you"}
        assert codes(answer) == ["UNAUTHENTICATED"]
        assert entries == []

    @pytest.mark.parametrize(
        ("query", "variables"),
        [
            ('query ($name: String = "Ada") { hello(name: $name) }', {"name": None}),
            ("query ($yes: Boolean = true) { hello @include(if: $yes) }", {"yes": None}),
            (CREATE, {"input": {**VALID_INPUT, "nickname": None}}),
            (
                'mutation { create(input: {name: "a", password: "b", color: RED, agreed: true, contact: {}})'
                " { __typename } }",
                {},
            ),
        ],
    )
    def test_that_only_the_execution_finds_are_not_ours(self, query: str, variables: dict[str, Any]) -> None:
        """Arguments that only the execution finds wrong are answered BAD_USER_INPUT, and not logged."""
        answer, entries, everything = run_and_log(query, variables)
        assert answer.kind is Kind.EXECUTED
        assert codes(answer) == ["BAD_USER_INPUT"]
        assert entries == []
        assert SECRET not in everything

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ("{ hello(name: ", "Syntax error."),
            (f'{{ hello "{SECRET}" }}', "Syntax error: Expected Name."),
            (f'{{ hello(name: "{SECRET}) }}', "Syntax error."),
            (f'{{ hello(name: "Expected {SECRET}, found " "x") }}', "Syntax error: Expected Name."),
            (f'"{SECRET}, found Expected " 5', "Syntax error."),
            (rf'{{ hello(name: "\{SECRET}") }}', "Syntax error."),
        ],
    )
    def test_of_syntax_are_located_and_not_quoted(self, document: str, message: str) -> None:
        """A syntax error has a location, and does not quote what stands there."""
        answer, entries, everything = run_and_log(document)
        assert codes(answer) == ["GRAPHQL_PARSE_FAILED"]
        assert answer.errors is not None
        assert answer.errors[0]["message"] == message
        assert answer.errors[0]["locations"][0]["line"] == 1
        assert entries == []
        assert SECRET not in everything

    def test_are_not_logged(self) -> None:
        """Mistakes of clients leave no log entry."""
        with capture_logs([with_notes]) as entries:
            for document in (
                "",
                "{",
                "{ unknown }",
                "mutation { create }",
                "{ hello }" * 5,
                f'{{ count(upto: "{SECRET}") }}',
            ):
                run(document)
            run(CREATE, {"input": SECRET})
        assert entries == []

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from tests.graphql_api.sample_schema import CREATE, SECRET, VALID_INPUT, make_app


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """A client that raises what the application raises, and prints none of the log."""
    with capture_logs(), TestClient(make_app()) as client:
        yield client


def post_bytes(client: TestClient, body: bytes) -> httpx2.Response:
    return client.post("/graphql", content=body, headers={"content-type": "application/json"})


def post(client: TestClient, body: object) -> httpx2.Response:
    return post_bytes(client, json.dumps(body).encode())


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=15,
)
TOKENS = r"""{ } ( ) [ ] : ! $ @ ... | = " \""" # \ \u0000 query mutation subscription fragment on F Query Mutation
hello count itself broken mistyped outage me create input name upto String Int CreateInput true null 1 -1.5e9
__schema 😀 RED"""
FIELDS = """hello, me, broken, mistyped, outage, itself { hello }, count(upto: 1e400), count(upto: 2147483648), x: me,
hello(name: "\\u0000"), hello(name: "\\ud800"), hello @skip(if: null), x: hello, ...F, ... on Query { hello },
hello(name: $a), count(upto: $a), hello @include(if: $a), __typename, __schema { types { name } }"""
HEADS = ["", "query", "query ($a: String)", "query ($a: Int! = 1)", "query ($a: Boolean = true)", "mutation", "query Q"]
TAILS = ["", "fragment F on Query { hello }", "fragment F on Query { ...F }", "{ hello }"]
DOCUMENTS = st.lists(st.sampled_from(TOKENS.split()), max_size=40).map(" ".join) | st.builds(
    "{} {{ {} }} {}".format,
    st.sampled_from(HEADS),
    st.lists(st.sampled_from(FIELDS.split(", ")), min_size=1, max_size=8).map(" ".join),
    st.sampled_from(TAILS),
)
INPUT_FIELDS = ("name", "color", "password", "agreed", "born", "age", "tags", "address", "contact", "nickname")
INPUTS = st.builds(
    lambda valid, wrong: valid | wrong,
    st.sampled_from([{}, dict(VALID_INPUT)]),
    st.dictionaries(st.sampled_from(INPUT_FIELDS) | st.text(), JSON_VALUES, max_size=4),
)
VARIABLES = st.dictionaries(st.just("a"), JSON_VALUES) | JSON_VALUES
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126))


class TestNothingGivesA500:
    """No request makes the application raise; 503 is what the sample's outage field answers."""

    @given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
    def test_no_bytes(self, client: TestClient, body: bytes) -> None:
        """Arbitrary bytes do not raise."""
        assert post_bytes(client, body).status_code in {200, 400}

    @given(JSON_VALUES)
    def test_no_json(self, client: TestClient, body: object) -> None:
        """Arbitrary JSON, and what Python takes for JSON, does not raise."""
        assert post(client, body).status_code == 400

    @given(st.fixed_dictionaries({"query": DOCUMENTS}, optional={"variables": VARIABLES, "operationName": st.text()}))
    def test_no_operation(self, client: TestClient, body: dict[str, object]) -> None:
        """Arbitrary documents with arbitrary variables do not raise."""
        assert post(client, body).status_code in {200, 400, 503}

    @given(INPUTS | JSON_VALUES)
    def test_no_input(self, client: TestClient, given_input: object) -> None:
        """Arbitrary input of the sign-up does not raise."""
        assert post(client, {"query": CREATE, "variables": {"input": given_input}}).status_code in {200, 400}

    @given(ASCII, ASCII)
    def test_no_header(self, client: TestClient, accept: str, content_type: str) -> None:
        """Arbitrary Accept and Content-Type headers do not raise."""
        headers = {"accept": accept, "content-type": content_type}
        response = client.post("/graphql", content=b'{"query": "{ hello }"}', headers=headers)
        assert response.status_code in {200, 406, 415}

    @given(st.dictionaries(st.sampled_from(["query", "variables", "operationName", "extensions"]), ASCII | DOCUMENTS))
    def test_no_url(self, client: TestClient, parameters: dict[str, str]) -> None:
        """Arbitrary parameters of a GET request do not raise."""
        response = client.get("/graphql", params=parameters)
        assert response.status_code in {200, 400, 405, 503}


class TestSecrets:
    def test_stay_out_of_the_log_and_of_every_error(self, client: TestClient) -> None:
        """A password in any wrong place appears neither in the log nor in an error."""
        wrong_inputs = [
            SECRET,
            [SECRET],
            {**VALID_INPUT, "agreed": SECRET},
            {"password": SECRET},
            {**VALID_INPUT, "age": SECRET},
        ]
        bodies: list[Any] = [{"query": CREATE, "variables": {"input": wrong}} for wrong in wrong_inputs]
        bodies += [
            {"query": query.replace("SECRET", SECRET)}
            for query in (
                'mutation { create(input: {password: "SECRET"}) { __typename } }',
                'mutation { create(input: "SECRET") { __typename } }',
                '{ broken(password: "SECRET") mistyped outage }',
                '{ hello "SECRET" }',
                '{ hello(nam: "SECRET") }',
                '{ hello(name: "SECRET',
            )
        ]
        bodies += [
            {"query": "{ hello }", "variables": SECRET},
            {"query": "{ hello }", "operationName": SECRET},
            [SECRET],
        ]
        with capture_logs() as entries:
            answers = [post(client, body).text for body in bodies]
        assert SECRET not in "".join(answers)
        assert SECRET not in str(entries)
        assert {entry["event"] for entry in entries} == {"graphql.internal_error", "graphql.unavailable"}

"""What the scanner graphql-cop looks for, one test for each of its checks: production has none of it.

The requests are those that the scanner sends; each test says which answer the scanner reports as a fault.
"""

import json
from collections.abc import Iterator
from urllib.parse import urlencode

import httpx2
import pytest

from graphql_api.settings import GatewaySettings
from registration.storage.database import Database, open_database
from registration.storage.migrations import migrate
from tests.graphql_api.installation import Installation, installed

TYPENAME = "query cop { __typename }"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """No test here writes: one empty SQLite database serves all."""
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('scanned') / 'registration.db'}")
    migrate(database)
    yield database
    database.close()


@pytest.fixture
def production(database: Database) -> Iterator[Installation]:
    """The application with the settings of production."""
    settings = GatewaySettings(mode="production", public_url="https://shop.example")
    with installed(database, settings) as installation:
        yield installation


def refusal(response: httpx2.Response) -> dict[str, object]:
    """The one error of an answer that has no data and no extensions."""
    answer = response.json()
    assert list(answer) == ["errors"]
    (error,) = answer["errors"]
    return dict(error["extensions"])


def test_alias_overloading(production: Installation) -> None:
    """A hundred and one aliases of one field are refused: the scanner looks for the last one in the data."""
    aliases = " ".join(f"alias{number}:__typename" for number in range(101))
    assert refusal(production.post(f"query cop {{ {aliases} }}")) == {"code": "LIMIT_EXCEEDED", "limit": "root fields"}


def test_array_batching(production: Installation) -> None:
    """An array of ten operations is refused: the scanner counts the answers in an array."""
    response = production.client.post("/graphql", json=[{"query": TYPENAME}] * 10)
    assert (response.status_code, refusal(response)) == (400, {"code": "BAD_REQUEST"})


def test_directive_overloading(production: Installation) -> None:
    """Ten unknown directives at one field are one error: the scanner counts ten."""
    response = production.post("query cop { __typename " + "@aa" * 10 + " }")
    assert refusal(response) == {"code": "LIMIT_EXCEEDED", "limit": "directives at one place"}


@pytest.mark.parametrize(
    "query",
    [
        "query cop { __schema { types { name fields { name } } } }",
        "query cop { __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }",
        'query cop { __type(name: "Customer") { name } }',
    ],
)
def test_introspection_and_circular_introspection(production: Installation, query: str) -> None:
    """Introspection, plain or in circles, is refused: the scanner looks for `__schema` in the data."""
    assert refusal(production.post(query)) == {"code": "INTROSPECTION_DISABLED"}


def test_circular_introspection_where_introspection_is_on(database: Database) -> None:
    """Where a setting allows introspection, circles end at the limit of depth."""
    levels = 12
    circles = "fields { type { " * levels + "name" + " } }" * levels
    with installed(database, GatewaySettings(introspection="on")) as installation:
        response = installation.post(f"query cop {{ __schema {{ types {{ {circles} }} }} }}")
    assert refusal(response) == {"code": "LIMIT_EXCEEDED", "limit": "depth"}


def test_field_duplication(production: Installation) -> None:
    """Five hundred times the same field are refused: the scanner looks for the field in the data."""
    response = production.post("query cop { " + "__typename \n" * 500 + "}")
    assert refusal(response) == {"code": "LIMIT_EXCEEDED", "limit": "fields"}


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query cop { __schema { directive } }", None),
        ("query cop { registrationPolic { __typename } }", None),
        ("query cop { registrationPolicy { __typenam } }", None),
        ("mutation cop { createCustomer(inpu: {}) { __typename } }", None),
        ("query cop($a: CreateCustomerInpu) { __typename }", None),
        ("mutation cop($input: CreateCustomerInput!) { createCustomer(input: $input) { __typename } }", {"emai": "a"}),
    ],
)
def test_field_suggestions(production: Installation, query: str, variables: object) -> None:
    """No misspelt name is corrected: the scanner looks for `Did you mean`."""
    response = production.post(query, {"input": variables} if variables else None)
    assert response.json()["errors"]
    assert "did you mean" not in response.text.casefold()


@pytest.mark.parametrize("path", ["/graphql", "/graphiql", "/playground", "/console", "/altair", "/"])
def test_graphiql(production: Installation, path: str) -> None:
    """A browser gets no console at any path: the scanner looks for the names of consoles in the page."""
    response = production.client.get(path, headers={"accept": "text/html"})
    assert response.status_code in {404, 405}
    assert not any(name in response.text.casefold() for name in ("graphiql", "playground", "altair"))


@pytest.mark.parametrize("query", [TYPENAME, "mutation cop { __typename }"])
def test_operations_by_get(production: Installation, query: str) -> None:
    """Neither a query nor a mutation runs by GET, which a foreign page can send: the scanner looks for data."""
    response = production.client.get("/graphql", params={"query": query})
    assert (response.status_code, refusal(response)) == (405, {"code": "BAD_REQUEST"})


def test_mutations_by_get_where_queries_by_get_are_on(database: Database) -> None:
    """Where a setting allows queries by GET, mutations by GET stay refused."""
    with installed(database, GatewaySettings(graphql_get="on")) as installation:
        response = installation.client.get("/graphql", params={"query": "mutation cop { __typename }"})
    assert (response.status_code, refusal(response)) == (405, {"code": "MUTATION_NOT_ALLOWED"})


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain", ""])
@pytest.mark.parametrize("body", [urlencode({"query": TYPENAME}), json.dumps({"query": TYPENAME})])
def test_posts_of_foreign_forms(production: Installation, content_type: str, body: str) -> None:
    """Media types that a form of a foreign page can send are refused: the scanner looks for data."""
    response = production.client.post("/graphql", content=body.encode(), headers={"content-type": content_type})
    assert (response.status_code, refusal(response)) == (415, {"code": "BAD_REQUEST"})


def test_tracing(production: Installation) -> None:
    """An answer has no extensions: the scanner looks for `tracing` among them."""
    for name in ("X-Apollo-Tracing", "Apollo-Tracing", "X-Trace"):
        answer = production.post(TYPENAME, **{name: "1"}).json()
        assert answer == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("qwerty cop { abc }", "GRAPHQL_PARSE_FAILED"),
        ("query cop { abc }", "GRAPHQL_VALIDATION_FAILED"),
        ("query cop($a: Int!) { __typename @include(if: $a) }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
def test_unhandled_errors(production: Installation, query: str, code: str) -> None:
    """An error shows a code and no exception: the scanner looks for `exception` and stack traces."""
    response = production.post(query)
    assert refusal(response) == {"code": code}
    assert "exception" not in response.text.casefold()
    assert "traceback" not in response.text.casefold()

"""Cross-origin requests through the whole application: every route, every kind of answer, and the preflights."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from graphql_api.http.cors import MAX_AGE_SECONDS, Cors
from graphql_api.http.request_log import RequestLog
from graphql_api.settings import GatewaySettings
from registration.storage.database import Unavailable
from tests.graphql_api.installation import CREATE, FORM, installed

SHOP = "https://shop.example"
JSON_API = "application/vnd.api+json"
ALLOWED = "access-control-allow-origin"


@pytest.fixture
def client(database: Any) -> Iterator[TestClient]:
    settings = GatewaySettings(cors_origins=f"{SHOP}, https://other.example:8443")
    with installed(database, settings) as installation:
        yield installation.client


def from_page(client: TestClient, method: str, path: str, origin: str = SHOP, **options: Any) -> httpx2.Response:
    headers = {"origin": origin} | options.pop("headers", {})
    answer: httpx2.Response = client.request(method, path, headers=headers, **options)
    return answer


def preflight(client: TestClient, path: str, method: str = "POST", origin: str = SHOP) -> httpx2.Response:
    asked = {"access-control-request-method": method, "access-control-request-headers": "content-type"}
    return from_page(client, "OPTIONS", path, origin, headers=asked)


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("POST", "/graphql", {"json": {"query": "{ __typename }"}}, 200),
        ("POST", "/graphql", {"json": {"query": CREATE, "variables": {"input": FORM}}}, 200),
        ("POST", "/graphql", {"content": b"{"}, 415),
        ("POST", "/graphql", {"json": [1]}, 400),
        ("POST", "/graphql", {"json": {"query": "x" * 70_000}}, 413),
        ("PUT", "/graphql", {}, 405),
        ("POST", "/customers", {"content": b"{", "headers": {"content-type": JSON_API}}, 400),
        ("GET", "/customers", {}, 403),
        ("GET", "/no-such-thing", {}, 404),
        ("POST", "/token", {"data": {"grant_type": "password"}}, 400),
        ("GET", "/.well-known/jwks.json", {}, 200),
        ("GET", "/openapi.json", {}, 200),
        ("GET", "/healthz", {}, 200),
        ("GET", "/readyz", {}, 200),
    ],
)
def test_every_answer_can_be_read(
    client: TestClient, method: str, path: str, options: dict[str, Any], status: int
) -> None:
    """A page of a named origin reads success and failure of every route; a page of another one reads nothing."""
    answer = from_page(client, method, path, **options)
    assert (answer.status_code, answer.headers[ALLOWED]) == (status, SHOP)
    assert "Retry-After" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers
    other = from_page(client, method, path, "https://evil.example", **options)
    assert ALLOWED not in other.headers
    assert "Origin" in other.headers["vary"]


@pytest.mark.parametrize("path", ["/graphql", "/.well-known/jwks.json"])
def test_preflights_are_answered_and_kept(client: TestClient, path: str) -> None:
    """A browser may send the request, with any header, and need not ask again for a while."""
    answer = preflight(client, path)
    assert answer.status_code == 200
    assert answer.headers[ALLOWED] == SHOP
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "content-type"
    assert answer.headers["access-control-max-age"] == str(MAX_AGE_SECONDS)
    refused = preflight(client, path, origin="https://evil.example")
    assert (refused.status_code, ALLOWED in refused.headers) == (400, False)


def test_preflights_of_the_shim_keep_the_contract(client: TestClient) -> None:
    """Its own methods, headers and refusals (contract 2.7), and the origin besides."""
    answer = preflight(client, "/customers")
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-methods"] == "GET, POST, PATCH, DELETE, OPTIONS"
    assert "idempotency-key" in answer.headers["access-control-allow-headers"]
    assert answer.headers[ALLOWED] == SHOP
    assert answer.headers["access-control-max-age"] == str(MAX_AGE_SECONDS)
    refused = preflight(client, "/customers", "TRACE")
    assert (refused.status_code, refused.headers[ALLOWED]) == (403, SHOP)
    assert preflight(client, "/token").headers[ALLOWED] == SHOP


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (SHOP, True),
        ("https://other.example:8443", True),
        ("https://other.example", False),
        ("http://shop.example", False),
        ("https://shop.example.evil.example", False),
        ("https://SHOP.example", False),
        ("null", False),
        ("http://localhost:5173", False),
    ],
)
def test_origins_are_exact(client: TestClient, origin: str, allowed: bool) -> None:
    """Scheme, host and port all count, and no machine is allowed in production only because it is this one."""
    answer = from_page(client, "POST", "/graphql", origin, json={"query": "{ __typename }"})
    assert (answer.headers.get(ALLOWED) == origin) is allowed


@pytest.mark.parametrize("origin", ["http://localhost:5173", "https://127.0.0.1", "http://[::1]:3000"])
def test_development_lets_pages_of_this_machine_in(database: Any, origin: str) -> None:
    """A front end under development needs no setting; other origins still do."""
    with installed(database, GatewaySettings(mode="development")) as installation:
        answer = from_page(installation.client, "POST", "/graphql", origin, json={"query": "{ __typename }"})
        assert answer.headers[ALLOWED] == origin
        for other in ("http://localhost.evil.example", "http://10.0.0.1:3000"):
            answer = from_page(installation.client, "POST", "/graphql", other, json={"query": "{ __typename }"})
            assert ALLOWED not in answer.headers


def test_production_without_origins_says_nothing(database: Any) -> None:
    """No header is added where no page of another origin may call."""
    with installed(database) as installation:
        answer = from_page(installation.client, "POST", "/graphql", json={"query": "{ __typename }"})
        assert {name for name in answer.headers if name.startswith("access-control") or name == "vary"} == set()


@pytest.mark.parametrize(("fault", "status"), [(Unavailable("closed for today"), 503), (RuntimeError("a bug"), 500)])
def test_faults_and_outages_can_be_read(fault: Exception, status: int) -> None:
    """The 503 of an outage and the 500 of a bug are answers like any other, with what they say about the next try."""

    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise fault

    cors = Cors(RequestLog(broken), origins=[SHOP], loopback=False, own_paths=["/graphql"])
    answer = from_page(TestClient(cors), "POST", "/graphql", json={})
    assert (answer.status_code, answer.headers[ALLOWED]) == (status, SHOP)
    assert ("retry-after" in answer.headers) is (status == 503)

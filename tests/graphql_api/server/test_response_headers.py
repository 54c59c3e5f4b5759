"""Every response of every part of the gateway has the security headers, and none has one of them twice."""

from collections.abc import Iterator

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from graphql_api.http.request_log import RequestLog
from graphql_api.server.response_headers import SECURITY_HEADERS, SecurityHeaders, security_headers
from graphql_api.settings import GatewaySettings
from registration.storage.database import Database, open_database
from registration.storage.migrations import migrate
from tests.graphql_api.installation import Installation, installed

NAMES = ["x-content-type-options", "content-security-policy", "referrer-policy"]
STRICT = "strict-transport-security"
PREFLIGHT = {"origin": "https://m.shop.example", "access-control-request-method": "POST"}
BY_REQUEST = {
    "probe": ("GET", "/healthz", {}),
    "readiness": ("GET", "/readyz", {}),
    "public keys": ("GET", "/.well-known/jwks.json", {}),
    "description": ("GET", "/openapi.json", {}),
    "GraphQL": ("POST", "/graphql", {}),
    "GraphQL, no method": ("PUT", "/graphql", {}),
    "GraphQL, preflight": ("OPTIONS", "/graphql", PREFLIGHT),
    "REST": ("POST", "/customers", {}),
    "REST, preflight": ("OPTIONS", "/customers", PREFLIGHT | {"access-control-request-headers": "accept"}),
    "REST, not found": ("GET", "/nothing", {}),
    "token": ("POST", "/token", {}),
    "token, no method": ("GET", "/token", {}),
    "page": ("GET", "/register/confirm", {}),
    "page, no method": ("PUT", "/register/confirm", {}),
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """No test here writes: one empty SQLite database serves all."""
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('headers') / 'registration.db'}")
    migrate(database)
    yield database
    database.close()


@pytest.fixture
def production(database: Database) -> Iterator[Installation]:
    settings = GatewaySettings(
        mode="production", public_url="https://shop.example", cors_origins="https://m.shop.example"
    )
    with installed(database, settings) as installation:
        yield installation


@pytest.mark.parametrize("name", BY_REQUEST)
def test_every_response_has_each_header_once(production: Installation, name: str) -> None:
    """Probes, documents, errors, preflights and pages are not sniffed, have a policy, and ask for https."""
    method, path, headers = BY_REQUEST[name]
    response = production.client.request(method, path, headers=headers)
    found = {name: response.headers.get_list(name) for name in (*NAMES, STRICT)}
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(found, 1)
    assert found["x-content-type-options"] == ["nosniff"]
    assert found[STRICT] == ["max-age=31536000"]


def test_a_response_keeps_its_own_policy(production: Installation) -> None:
    """What is no page may load nothing, a page has a policy of its own, and the REST door that of the contract."""
    policies = [
        production.client.get(path).headers["content-security-policy"]
        for path in ("/healthz", "/register/confirm", "/nothing")
    ]
    assert policies[0] == "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    assert policies[1].startswith("default-src 'none'; style-src 'nonce-")
    assert policies[2] == "frame-ancestors 'self'"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"mode": "production", "public_url": "https://shop.example", "hsts_seconds": 60}, "max-age=60"),
        ({"mode": "production", "public_url": "https://shop.example", "hsts_seconds": 0}, None),
        ({"mode": "production", "public_url": "http://shop.example"}, None),
        ({"mode": "development", "public_url": "https://localhost"}, None),
    ],
)
def test_https_is_asked_for_where_it_is_served(
    database: Database, settings: dict[str, object], expected: str | None
) -> None:
    """Strict-Transport-Security is sent in production where PUBLIC_URL is https, for as long as the setting says."""
    with installed(database, GatewaySettings.model_validate(settings)) as installation:
        assert installation.client.get("/healthz").headers.get(STRICT) == expected


def test_faults_have_them() -> None:
    """The answer to a fault has them, too."""

    async def application(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("a bug")

    response = TestClient(SecurityHeaders(RequestLog(application))).get("/")
    assert response.status_code == 500
    assert set(NAMES) <= set(response.headers)


def test_a_header_that_is_there_is_left_alone() -> None:
    """A response's own header stays, and the constants of the layer are not changed by it."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("", headers={"Referrer-Policy": "same-origin"})(scope, receive, send)

    client = TestClient(SecurityHeaders(application, security_headers(0)))
    for _ in range(2):
        assert client.get("/").headers.get_list("referrer-policy") == ["same-origin"]
    assert security_headers(0) == SECURITY_HEADERS


def test_early_answers_name_no_origin_where_no_page_may_call() -> None:
    """Without origins a page cannot read an early answer, which has the security headers alone."""
    outermost = SecurityHeaders(PlainTextResponse("x"))
    assert outermost.of_early_answer([(b"origin", b"https://shop.example")]) == SECURITY_HEADERS

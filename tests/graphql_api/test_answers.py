"""What all answers of the application have in common, whichever route gives them."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from graphql_api.settings import GatewaySettings
from registration.storage.database import open_database
from tests.graphql_api.installation import CREATE, FORM, Installation, installed

GRAPHQL = {"query": CREATE, "variables": {"input": FORM}}
DOCUMENT = {"data": {"type": "customers", "attributes": FORM | {"salutation": "Ms", "gender": "Female"}}}
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/graphql", {"json": GRAPHQL}),
    ("POST", "/graphql", {"json": {"query": "{ me { email } }"}}),
    ("POST", "/graphql", {"content": b"x"}),
    ("POST", "/graphql", {"content": b"x" * 100_000}),
    ("PUT", "/graphql", {}),
    ("POST", "/customers", {"json": DOCUMENT}),
    ("POST", "/customers", {"json": {}}),
    ("GET", "/customers", {}),
    ("GET", "/customers", {"headers": {"Authorization": "Bearer x"}}),
    ("OPTIONS", "/customers", {}),
    ("POST", "/access-tokens", {"content": b"x" * 100_000}),
    ("POST", "/token", {"data": {"grant_type": "password"}}),
    ("POST", "/token", {"headers": {"Authorization": "Bearer x"}}),
    ("GET", "/nothing", {}),
    ("GET", "/register/confirm", {"params": {"token": "0" * 32}}),
    ("POST", "/register/confirm", {"data": {"action": "resend"}}),
    ("POST", "/register/confirm", {"content": b"x" * 100_000}),
    ("GET", "/password/restore", {}),
    ("GET", "/register/confirm-email", {}),
    ("GET", "/healthz", {}),
    ("GET", "/readyz", {}),
    ("GET", "/.well-known/jwks.json", {}),
    ("GET", "/openapi.json", {}),
]
PUBLIC = {"/.well-known/jwks.json", "/openapi.json"}
"""What is the same for every client."""


@pytest.fixture
def installation(sqlite_url: str) -> Iterator[Installation]:
    with installed(open_database(sqlite_url), GatewaySettings()) as running:
        yield running


@pytest.fixture(params=REQUESTS, ids=lambda request: " ".join((*request[:2], *map(str, request[2]))))
def answer(installation: Installation, request: pytest.FixtureRequest) -> httpx2.Response:
    method, path, options = request.param
    return installation.client.request(method, path, **options)


def test_text_names_its_charset(answer: httpx2.Response) -> None:
    """A body has a Content-Type: JSON, which is UTF-8 by definition, or text that says that it is UTF-8."""
    assert answer.content
    media_type, _, parameters = answer.headers["content-type"].partition(";")
    if media_type.startswith("text/"):
        assert parameters.strip() == "charset=utf-8"
        assert answer.content.decode("utf-8").isprintable() or "<html" in answer.text
    else:
        assert media_type in {"application/json", "application/vnd.api+json", "application/graphql-response+json"}
        answer.json()


def test_only_public_answers_may_be_stored(answer: httpx2.Response) -> None:
    """Neither a browser nor a proxy keeps an answer that is about a client; none sets a cookie."""
    stored = answer.headers.get("cache-control")
    assert stored == "no-store" or answer.request.url.path in PUBLIC, stored
    assert "set-cookie" not in answer.headers


def test_no_answer_leads_elsewhere(answer: httpx2.Response) -> None:
    """No answer sends a client to another address, or from http to https: the mistake would not be noticed."""
    assert answer.status_code not in {301, 302, 303, 307, 308}
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "path",
    ["/.git/config", "/.git/", "/.env", "/pyproject.toml", "/graphql_api/", "/graphiql/", "/var/keys/secret.key"],
)
def test_no_files_are_served(installation: Installation, path: str) -> None:
    """No path leads to a file or to a list of files: each is the 404 document of any unknown path."""
    unknown = installation.client.get("/nothing")
    for encoded in (path, path.replace(".", "%2e"), f"/customers/..{path}", f"/graphiql/..%2f..{path}"):
        answer = installation.client.get(encoded)
        assert answer.status_code in {403, 404}
        assert answer.headers["content-type"] == unknown.headers["content-type"]


@pytest.mark.parametrize("path", sorted({path for _, path, _ in REQUESTS}))
def test_trace_is_not_served(installation: Installation, path: str) -> None:
    """TRACE, which would show a script the headers of its request, is no method of any route."""
    answer = installation.client.request("TRACE", path, headers={"Authorization": "Bearer secret"})
    assert answer.status_code in {404, 405}
    assert "secret" not in answer.text

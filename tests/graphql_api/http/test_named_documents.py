"""Documents that requests name by their hash: Apollo's and urql's persisted queries, and trusted documents."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from graphql_api.http.named_documents import KEPT_DOCUMENTS, LONGEST_KEPT, NamedDocuments, read_manifest
from graphql_api.settings import GatewaySettings
from registration.environment import SettingsError
from registration.storage.database import Database
from tests.graphql_api.installation import CREATE, FORM, installed
from tests.graphql_api.sample_schema import make_app

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
HELLO, TOUCH = "query A { hello }", "mutation B { touch }"


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def persisted(text: str) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(text)}}}


def post(client: TestClient, accept: str = JSON, **body: Any) -> httpx2.Response:
    return client.post("/graphql", json=body, headers={"accept": accept})


def get(client: TestClient, **parameters: Any) -> httpx2.Response:
    texts = {name: each if isinstance(each, str) else json.dumps(each) for name, each in parameters.items()}
    return client.get("/graphql", params=texts, headers={"accept": JSON})


def code(answer: httpx2.Response) -> str:
    (error,) = answer.json()["errors"]
    return str(error["extensions"]["code"])


@pytest.fixture
def client() -> Iterator[TestClient]:
    """Queries by GET are off, as in production."""
    with TestClient(make_app(queries_by_get=False)) as client:
        yield client


@pytest.fixture
def trusting() -> Iterator[TestClient]:
    """Trusts two documents, and takes no other."""
    documents = NamedDocuments({digest(text): text for text in (HELLO, TOUCH)}, only=True)
    with TestClient(make_app(documents=documents)) as client:
        yield client


class TestPersistedQueries:
    @pytest.mark.parametrize(("accept", "status"), [(JSON, 200), ("*/*", 200), (GRAPHQL, 400)])
    @pytest.mark.parametrize("without_query", [{}, {"query": None}, {"query": ""}])
    def test_an_unknown_hash_is_answered_in_the_form_that_clients_look_for(
        self, client: TestClient, accept: str, status: int, without_query: dict[str, object]
    ) -> None:
        """Apollo's link and urql's exchange send the document when they find this message or code."""
        answer = post(client, accept, operationName="A", variables={}, **persisted(HELLO), **without_query)
        assert answer.status_code == status
        assert answer.json() == {
            "errors": [{"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}]
        }

    def test_a_document_that_came_with_its_hash_is_found_by_it(self, client: TestClient) -> None:
        """Once sent with its hash, a document is run by the hash alone: POST, GET and as documentId."""
        data = {"data": {"hello": "Hello you"}}
        assert post(client, query=HELLO, **persisted(HELLO)).json() == data
        assert post(client, **persisted(HELLO)).json() == data
        assert post(client, documentId=f"sha256:{digest(HELLO)}").json() == data
        assert get(client, **persisted(HELLO)).json() == data
        assert get(client, documentId=digest(HELLO).upper()).json() == data

    def test_by_get_only_queries_are_run(self, client: TestClient) -> None:
        """A mutation by GET is refused, by its hash and with it."""
        post(client, query=TOUCH, **persisted(TOUCH))
        for refused in (get(client, **persisted(TOUCH)), get(client, query=TOUCH, **persisted(TOUCH))):
            assert (refused.status_code, refused.headers["allow"]) == (405, "POST")

    def test_by_get_a_document_needs_its_hash(self, client: TestClient) -> None:
        """Where queries by GET are off, a document runs with its hash, as urql's exchange sends it, and not without."""
        refused = get(client, query=HELLO)
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
        assert "with their SHA-256" in refused.json()["errors"][0]["message"]
        assert get(client, query=HELLO, **persisted("another")).status_code == 400
        assert get(client, query=HELLO, **persisted(HELLO)).json() == {"data": {"hello": "Hello you"}}
        assert get(client, **persisted(HELLO)).json() == {"data": {"hello": "Hello you"}}

    @pytest.mark.parametrize(
        "named",
        [
            persisted("another"),
            {"documentId": digest("another")},
            {"documentId": "sha256:ab"},
            {"documentId": 7},
            {"extensions": {"persistedQuery": {"sha256Hash": "x" * 64}}},
            {"extensions": {"persistedQuery": {}}},
            {"extensions": {"persistedQuery": 1}},
        ],
    )
    def test_a_wrong_hash_is_a_bad_request(self, client: TestClient, named: dict[str, Any]) -> None:
        """A document with a hash that is not its own, or is no SHA-256, is not run."""
        answer = post(client, query=HELLO, **named)
        assert (answer.status_code, code(answer)) == (400, "BAD_REQUEST")
        assert code(post(client, **persisted(HELLO))) == "PERSISTED_QUERY_NOT_FOUND"

    @pytest.mark.parametrize("text", ['{ hello(name: "secret") }', "{ hello }" + " " * LONGEST_KEPT])
    def test_texts_that_may_hold_a_password_or_are_long_are_not_kept(self, client: TestClient, text: str) -> None:
        """They are run, but not found by their hash."""
        assert "data" in post(client, query=text, **persisted(text)).json()
        assert code(post(client, **persisted(text))) == "PERSISTED_QUERY_NOT_FOUND"

    def test_short_documents_are_bounded_in_number(self) -> None:
        """Of more short documents than KEPT_DOCUMENTS, so many are kept: those that came last."""
        documents = NamedDocuments({}, only=False)
        texts = [f"{{ a{number} }}" for number in range(2 * KEPT_DOCUMENTS)]
        for text in texts:
            documents.text(text, digest(text))
        kept = [text for text in texts if documents.text(None, digest(text)) == text]
        assert kept == texts[-KEPT_DOCUMENTS:]

    @pytest.mark.parametrize("extensions", [None, {}, {"persistedQuery": None}])
    def test_without_a_hash_the_document_is_missing(self, client: TestClient, extensions: object) -> None:
        """A request without a document and without a hash stays a bad request."""
        answer = post(client, extensions=extensions)
        assert answer.json()["errors"][0]["message"] == "The parameter 'query' must be a string."


class TestTrustedDocuments:
    def test_are_run_however_they_are_named(self, trusting: TestClient) -> None:
        """By documentId, by the persisted-query extension, or as they are."""
        for body in ({"documentId": digest(HELLO)}, persisted(HELLO), {"query": HELLO}):
            assert post(trusting, **body).json() == {"data": {"hello": "Hello you"}}
        assert get(trusting, documentId=digest(HELLO)).json() == {"data": {"hello": "Hello you"}}

    @pytest.mark.parametrize(
        "body",
        [
            {"query": "{ hello }"},
            {"query": "{ hello }", **persisted("{ hello }")},
            persisted("{ hello }"),
            {"documentId": digest("{ hello }")},
            {"query": ""},
        ],
    )
    def test_nothing_else_is_run(self, trusting: TestClient, body: dict[str, Any]) -> None:
        """Every other document is refused, and does not become known by being sent."""
        for _ in range(2):
            assert code(post(trusting, **body)) == "DOCUMENT_NOT_TRUSTED"

    def test_the_rest_door_keeps_its_documents(self, database: Database, tmp_path: Path) -> None:
        """With one trusted document the JSON:API door works as ever, and GraphQL runs that document only."""
        manifest = written(tmp_path, {digest(CREATE): CREATE})
        settings = GatewaySettings(documents=str(manifest), trusted_documents="only")
        with installed(database, settings) as installation:
            answer = installation.client.post(
                "/graphql", json={"documentId": digest(CREATE), "variables": {"input": FORM}}
            )
            assert answer.json()["data"]["createCustomer"]["__typename"] == "CreateCustomerSuccess"
            assert code(installation.post("{ __typename }")) == "DOCUMENT_NOT_TRUSTED"
            document = {"data": {"type": "customer-forgotten-password", "attributes": {"email": "ada@example.org"}}}
            headers = {"content-type": "application/vnd.api+json"}
            forgotten = installation.client.post("/customer-forgotten-password", json=document, headers=headers)
            assert forgotten.status_code == 204


def written(directory: Path, documents: dict[str, str]) -> Path:
    path = directory / "manifest.json"
    path.write_text(json.dumps({"operations": [{"id": each, "body": text} for each, text in documents.items()]}))
    return path


def test_a_manifest_is_read(tmp_path: Path) -> None:
    """Its documents are found by their hash; no path is no document."""
    assert read_manifest(str(written(tmp_path, {digest(HELLO): HELLO}))) == {digest(HELLO): HELLO}
    assert read_manifest("") == {}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        ("{", "no manifest"),
        ("[]", "no manifest"),
        ('{"operations": [1]}', "no manifest"),
        ('{"operations": [{"id": "x"}]}', "no manifest"),
        ('{"operations": [{"id": "x", "body": "{ a }"}]}', "'x' has another SHA-256"),
    ],
)
def test_a_file_that_is_no_manifest_stops_the_start(tmp_path: Path, content: str | None, reason: str) -> None:
    """The error is one line that names the setting."""
    path = tmp_path / "manifest.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError, match=f"^GATEWAY_DOCUMENTS.*{reason}"):
        read_manifest(str(path))

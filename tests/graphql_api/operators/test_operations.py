"""The operator schema in use: what a token may do, what comes of it, and the audit row that it leaves."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from graphql_api.engine.threads import Threads
from graphql_api.operators.door import MOST_WRONG
from graphql_api.operators.port import PATH, operators_app
from graphql_api.settings import GatewaySettings
from registration.notes import with_notes
from registration.services import Services
from registration.storage.tables import audit, customer, mail
from registration.support.tokens import Scope, end_token, new_token
from tests.graphql_api.installation import Installation
from tests.registration.forms import request
from tests.registration.members import confirmed
from tests.registration.signing import sign_up
from tests.registration.stored import rows

ERROR = "... on OperatorError { code message } ... on NotAllowedError { scope }"
FIND = f"""query Find($input: FindInput!) {{ find(input: $input) {{
  __typename ... on CustomerPage {{ end customers {{ reference email lastName language createdAt erasedAt }} }}
  ... on InvalidInputError {{ violations {{ path code message }} }} {ERROR} }} }}"""
SHOW = f"""query Show($reference: String!) {{ show(reference: $reference) {{
  __typename ... on Customer {{ reference email firstName confirmedAt blockedAt }} {ERROR} }} }}"""
EXPORT = f"""query Export($reference: String!) {{ export(reference: $reference) {{
  __typename ... on CustomerExport {{ json }} {ERROR} }} }}"""
CORRECT = f"""mutation Correct($input: CorrectInput!) {{ correct(input: $input) {{
  __typename ... on ActSuccess {{ reference }}
  ... on InvalidInputError {{ violations {{ path code }} }} {ERROR} }} }}"""


def act(name: str) -> str:
    return f"""mutation Act($input: ActInput!) {{ {name}(input: $input) {{
      __typename ... on ActSuccess {{ reference }} {ERROR} }} }}"""


@dataclass(frozen=True, slots=True)
class Desk:
    """An operator who has a token of some scopes."""

    client: TestClient
    services: Services
    token: str

    def post(self, query: str, variables: object = None, token: str = "") -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return self.client.post(PATH, json={"query": query, "variables": variables}, headers=headers)

    def ask(self, query: str, **variables: object) -> Any:
        response = self.post(query, variables).json()
        assert "errors" not in response, response
        [result] = response["data"].values()
        return result

    def act(self, name: str, reference: str) -> Any:
        return self.ask(act(name), input={"reference": reference})

    def trail(self) -> list[tuple[str, str]]:
        return [(row["kind"], row["operator"]) for row in rows(self.services.database, audit) if row["operator"]]


@contextmanager
def desk(services: Services, *scopes: Scope) -> Iterator[Desk]:
    token = new_token(services.database, "olga", scopes or tuple(Scope), services.clock(), timedelta(days=90))
    assert token
    threads = Threads(hashing=1)
    with TestClient(operators_app(GatewaySettings(), services, threads)) as client:
        yield Desk(client, services, token)
    threads.close()


@pytest.fixture
def olga(installation: Installation) -> Iterator[Desk]:
    with desk(installation.services) as found:
        yield found


class TestLookUps:
    def test_find_and_show(self, olga: Desk) -> None:
        """A customer is found by name, address and reference and shown; each look leaves a row that names olga."""
        ada = confirmed(olga.services)
        for wanted in ("bei", "ADA@example.org", ada.reference):
            page = olga.ask(FIND, input={"search": wanted})
            assert [each["reference"] for each in page["customers"]] == [ada.reference]
            assert (page["end"], page["customers"][0]["language"]) == (None, "EN")
        shown = olga.ask(SHOW, reference=ada.reference)
        assert (shown["email"], shown["firstName"], shown["blockedAt"]) == ("ada@example.org", "Ada", None)
        assert olga.trail() == [("operator find", "olga")] * 3 + [("operator show", "olga")]
        assert olga.ask(SHOW, reference="DE--999") == {
            "__typename": "CustomerNotFoundError",
            "code": "CUSTOMER_NOT_FOUND",
            "message": "There is no customer of that reference.",
        }

    def test_pages(self, olga: Desk) -> None:
        """`end` leads to the next page; a text that is none is invalid input; a page has one customer at least."""
        for number in range(3):
            sign_up(olga.services, request(email=f"{number}@example.org", lastName="Śmith"))
        seen: list[str] = []
        given: dict[str, object] = {"search": "Ś", "first": 0}
        while "after" not in given or given["after"]:
            page = olga.ask(FIND, input=given)
            assert len(page["customers"]) == 1
            seen += [each["reference"] for each in page["customers"]]
            given["after"] = page["end"]
        assert len(set(seen)) == len(seen) == 3
        for wrong in (
            "x",
            "====",
            "AAAA",
            "ş",
            *(urlsafe_b64encode(bytes(16) + end).decode() for end in (b"\xff", b"\0")),
        ):
            refused = olga.ask(FIND, input={"search": "Ś", "after": wrong})
            assert refused["code"] == "INVALID_INPUT", wrong
            assert [each["path"] for each in refused["violations"]] == [["input", "after"]]

    def test_export(self, olga: Desk) -> None:
        """Everything about a person is one JSON object, without a credential."""
        ada = confirmed(olga.services)
        found = olga.ask(EXPORT, reference=ada.reference)
        assert json.loads(found["json"])["customer"][0]["email"] == "ada@example.org"
        assert "argon2" not in found["json"]
        assert olga.trail() == [("operator export", "olga")]
        assert olga.ask(EXPORT, reference="DE--999")["code"] == "CUSTOMER_NOT_FOUND"


class TestActs:
    def test_leave_their_effect_and_their_row(self, olga: Desk) -> None:
        """Each act does what the command of its name does, once, and then says why it cannot."""
        sign_up(olga.services, request())
        [row] = rows(olga.services.database, customer)
        reference = row["reference"]
        for name in ("resend", "confirm", "unlock", "block", "unblock", "endSessions"):
            assert olga.act(name, reference) == {"__typename": "ActSuccess", "reference": reference}
            again = {"confirm": "CONFIRMED_ALREADY", "block": "BLOCKED_ALREADY", "unblock": "NOT_BLOCKED"}
            if name in again:
                assert olga.act(name, reference)["code"] == again[name]
        kinds = ("resend", "confirm", "unlock", "block", "unblock", "sign-out")
        assert [kind.removeprefix("operator ") for kind, _ in olga.trail()] == list(kinds)
        assert len(rows(olga.services.database, mail)) >= 2

    def test_correct(self, olga: Desk) -> None:
        """A name is corrected by the rules of the sign-up form; what breaks one is named, without its value."""
        ada = confirmed(olga.services)
        done = olga.ask(CORRECT, input={"reference": ada.reference, "lastName": "King"})
        assert done == {"__typename": "ActSuccess", "reference": ada.reference}
        refused = olga.ask(CORRECT, input={"reference": ada.reference, "lastName": "x" * 101})
        assert refused["violations"] == [{"path": ["input", "lastName"], "code": "TOO_LONG"}]
        assert olga.ask(CORRECT, input={"reference": "DE--999"})["code"] == "CUSTOMER_NOT_FOUND"
        [row] = rows(olga.services.database, customer)
        assert row["last_name"] == "King"

    def test_erase(self, olga: Desk) -> None:
        """An erased customer is found by the reference alone, without a name or an address, and cannot be shown."""
        ada = confirmed(olga.services)
        assert olga.act("erase", ada.reference)["__typename"] == "ActSuccess"
        assert olga.act("erase", ada.reference)["code"] == "CUSTOMER_ERASED"
        assert olga.ask(SHOW, reference=ada.reference)["code"] == "CUSTOMER_ERASED"
        [found] = olga.ask(FIND, input={"search": ada.reference})["customers"]
        assert (found["email"], found["lastName"], found["erasedAt"] is None) == (None, None, False)


class TestScopes:
    @pytest.mark.parametrize(
        ("scope", "allowed"),
        [
            (Scope.READ, {"find", "show"}),
            (Scope.SUPPORT, {"export", "confirm"}),
            (Scope.ERASE, {"erase"}),
        ],
    )
    def test_bound_a_token(self, installation: Installation, scope: Scope, allowed: set[str]) -> None:
        """A token of one scope does what that is for; everything else is not done and not recorded."""
        ada = confirmed(installation.services)
        asked: dict[str, tuple[str, dict[str, object]]] = {
            "find": (FIND, {"input": {"search": "A"}}),
            "show": (SHOW, {"reference": ada.reference}),
            "export": (EXPORT, {"reference": ada.reference}),
            "confirm": (act("confirm"), {"input": {"reference": ada.reference}}),
            "correct": (CORRECT, {"input": {"reference": ada.reference, "lastName": "x"}}),
            "erase": (act("erase"), {"input": {"reference": ada.reference}}),
        }
        if scope is Scope.SUPPORT:
            del asked["correct"]
        with desk(installation.services, scope) as operator:
            refused = {}
            for name, (query, variables) in asked.items():
                answer = operator.ask(query, **variables)
                if answer["__typename"] == "NotAllowedError":
                    refused[name] = answer["scope"]
            assert asked.keys() - refused.keys() == allowed
            assert scope.name not in refused.values()
            assert len(operator.trail()) == len(allowed - {"confirm"})


class TestDoor:
    def test_nothing_is_told_without_a_token(self, olga: Desk) -> None:
        """Without a good token every request is 401, also introspection and what is no GraphQL at all."""
        for headers in ({}, {"Authorization": "Basic b2xnYTp4"}, {"Authorization": "Bearer wrong"}):
            for body in (b'{"query": "{ __schema { types { name } } }"}', b"nonsense"):
                response = olga.client.post(PATH, content=body, headers=headers)
                assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
                assert response.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
        assert olga.client.get("/").status_code == 404
        assert "CustomerPage" in olga.post("{ __schema { types { name } } }").text

    def test_ended_tokens_are_refused_at_once(self, olga: Desk) -> None:
        """A revoked token is refused at the next request."""
        assert olga.post("{ __typename }").status_code == 200
        end_token(olga.services.database, "olga", olga.services.clock())
        assert olga.post("{ __typename }").status_code == 401

    def test_wrong_tokens_are_limited(self, olga: Desk) -> None:
        """After ten wrong tokens of a client no token of it is looked at for a quarter of an hour."""
        for _ in range(MOST_WRONG):
            assert olga.post("{ __typename }", token="wrong").status_code == 401
        for token in ("wrong", olga.token):
            response = olga.post("{ __typename }", token=token)
            assert (response.status_code, response.headers["retry-after"]) == (429, "900")

    def test_a_document_is_bounded(self, olga: Desk) -> None:
        """A document has five fields at most, so that one request shows no more than five pages."""
        fields = " ".join(f'f{number}: show(reference: "DE--1") {{ __typename }}' for number in range(6))
        [error] = olga.post(f"{{ {fields} }}").json()["errors"]
        assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": "root fields"}

    def test_has_no_event_streams(self, olga: Desk) -> None:
        """An event stream is not offered: a client that takes JSON, too, gets JSON, and any other 406."""
        for accept, status in (("text/event-stream, application/json", 200), ("text/event-stream", 406)):
            headers = {"Authorization": f"Bearer {olga.token}", "Accept": accept}
            assert olga.client.post(PATH, json={"query": "{ __typename }"}, headers=headers).status_code == status

    def test_the_log_names_the_operator_and_no_customer(self, olga: Desk) -> None:
        """The line of a request has the operator's name, the field and its answer; no token, no text that was sent."""
        ada = confirmed(olga.services)
        with capture_logs([with_notes]) as lines:
            olga.ask(FIND, input={"search": "ada@example.org"})
            olga.post("{ __typename }", token="operator_wrong")
        requests = [line for line in lines if line["event"] == "request"]
        assert [(each.get("operator"), each["operation"], each["outcome"]) for each in requests] == [
            ("olga", "find", "CustomerPage"),
            (None, PATH, "UNAUTHENTICATED"),
        ]
        assert [line["number"] for line in lines if line["event"] == "operator token refused"] == [1]
        text = repr(lines)
        assert [secret for secret in (olga.token, "operator_wrong", "ada@", ada.reference) if secret in text] == []

"""Idempotency keys: one outcome for one request through either door, and the same bytes for the same document."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import Client, Response

from graphql_api.settings import GatewaySettings
from registration.mail.rendering import MailKind
from registration.storage.database import Database
from registration.storage.tables import customer, idempotency, mail
from rest_compat.errors import OUTCOMES
from tests.conftest import Serve
from tests.in_process import Installation, installation
from tests.registration.stored import rows
from tests.two_doors.visitor import FORM, INPUT, PASSWORD, Visitor

pytestmark = pytest.mark.long

KEY = "idempotency-key-1"
CREATE = """mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) { __typename
  ... on CreateCustomerSuccess { customer { id reference email salutation gender firstName lastName dateOfBirth
    createdAt updatedAt confirmedAt } confirmation { sentTo expiresAt } }
  ... on UserError { code message } ... on InvalidInputError { violations { path code } } } }"""
CONFLICT = OUTCOMES["createCustomer"].refusals["IDEMPOTENCY_CONFLICT"]


@pytest.fixture
def installed(database: Database) -> Iterator[Installation]:
    with installation(database, GatewaySettings()) as installed:
        yield installed


@pytest.fixture
def visitor(installed: Installation) -> Visitor:
    return Visitor(installed.client)


def through_graphql(visitor: Visitor, **changes: object) -> Response:
    return visitor.graphql(CREATE, INPUT | {"idempotencyKey": KEY} | changes)


def through_glue(visitor: Visitor, **changes: object) -> Response:
    return visitor.glue("POST", "/customers", FORM | changes, idempotency_key=KEY)


def result(response: Response) -> Any:
    return response.json()["data"]["createCustomer"]


def same(first: Response, second: Response) -> bool:
    """Status, headers and bytes, without the correlation id."""
    one, other = (
        [(name, value) for name, value in response.headers.items() if name != "x-correlation-id"]
        for response in (first, second)
    )
    return (first.status_code, one, first.content) == (second.status_code, other, second.content)


def confirm(installed: Installation, visitor: Visitor) -> Visitor:
    """Confirm the customer and sign in."""
    given = {"registrationKey": installed.keys(MailKind.CONFIRMATION)[-1]}
    assert visitor.glue("POST", "/customer-confirmation", given).status_code == 204
    signed_in = visitor.glue("POST", "/access-tokens", {"username": FORM["email"], "password": PASSWORD}).json()
    [row] = installed.rows(customer)
    return Visitor(visitor.client, row["reference"], signed_in["data"]["attributes"]["accessToken"])


class TestReplay:
    @pytest.mark.parametrize("door", [through_graphql, through_glue])
    def test_the_same_document_gets_the_same_bytes(self, installed: Installation, visitor: Visitor, door: Any) -> None:
        """A document sent again within a day gets the same bytes, and makes one customer and one mail."""
        first = door(visitor)
        assert first.is_success
        for _ in range(3):
            installed.clock.move(timedelta(hours=7))
            assert same(first, door(visitor))
        assert len(installed.rows(customer)) == len(installed.rows(mail)) == 1

    def test_glue_then_graphql(self, installed: Installation, visitor: Visitor) -> None:
        """A replay through GraphQL tells of the customer that the REST door registered."""
        document = through_glue(visitor, dateOfBirth="", acceptedTerms="1").json()["data"]
        installed.clock.move(timedelta(hours=1))
        told = result(through_graphql(visitor, dateOfBirth=None))
        assert (told["__typename"], told["customer"]["reference"]) == ("CreateCustomerSuccess", document["id"])
        assert told["customer"]["createdAt"][:19] == document["attributes"]["createdAt"][:19].replace(" ", "T")
        assert len(installed.rows(customer)) == len(installed.rows(mail)) == 1

    def test_graphql_then_glue(self, installed: Installation, visitor: Visitor) -> None:
        """A replay through the REST door tells of the customer that GraphQL registered."""
        told = result(through_graphql(visitor, dateOfBirth="1984-05-17"))
        installed.clock.move(timedelta(hours=1))
        answer = through_glue(visitor, dateOfBirth="1984-05-17")
        assert (answer.status_code, answer.json()["data"]["id"]) == (201, told["customer"]["reference"])
        assert len(installed.rows(customer)) == len(installed.rows(mail)) == 1

    @pytest.mark.parametrize("door", [through_graphql, through_glue])
    def test_the_form_of_a_password_does_not_matter(self, installed: Installation, visitor: Visitor, door: Any) -> None:
        """A sign-up that is sent again with the letters of its password decomposed is the same sign-up."""
        composed, decomposed = "Gl\u00fcckskeks 7", "Glu\u0308ckskeks\u00a07"
        first = door(visitor, password=composed, confirmPassword=decomposed)
        assert first.is_success
        assert same(first, door(visitor, password=decomposed, confirmPassword=composed))
        assert len(installed.rows(customer)) == 1

    @pytest.mark.parametrize("door", [through_graphql, through_glue])
    def test_what_has_changed_since_does_not_show(self, installed: Installation, visitor: Visitor, door: Any) -> None:
        """A replay shows the customer as of the sign-up."""
        first = door(visitor)
        own = confirm(installed, visitor)
        installed.clock.move(timedelta(hours=1))
        changed = own.glue("PATCH", f"/customers/{own.reference}", {"firstName": "Zoë", "gender": "Male"})
        assert changed.json()["data"]["attributes"]["firstName"] == "Zoë"
        assert same(first, door(visitor))

    def test_taken_is_an_outcome_too(self, installed: Installation, visitor: Visitor) -> None:
        """ "Taken" is replayed through both doors, even when the address is free by then."""
        visitor.glue("POST", "/customers", FORM)
        own = confirm(installed, visitor)
        assert through_glue(visitor).status_code == 422
        assert own.glue("DELETE", f"/customers/{own.reference}").status_code == 204
        assert through_glue(visitor).json()["errors"][0]["code"] == "400"
        assert result(through_graphql(visitor))["code"] == "EMAIL_TAKEN"

    def test_after_a_day_the_key_is_new(self, installed: Installation, visitor: Visitor) -> None:
        """A key is new again after exactly a day."""
        first = through_glue(visitor)
        installed.clock.move(timedelta(days=1) - timedelta(microseconds=1))
        assert same(first, through_glue(visitor))
        installed.clock.move(timedelta(microseconds=1))
        assert through_glue(visitor).json()["data"]["id"] != first.json()["data"]["id"]

    def test_the_record_goes_with_an_erased_customer(self, installed: Installation, visitor: Visitor) -> None:
        """After an erasure the same request signs up anew."""
        first = through_glue(visitor)
        own = confirm(installed, visitor)
        assert own.glue("DELETE", f"/customers/{own.reference}").status_code == 204
        assert installed.rows(idempotency) == []
        second = through_glue(visitor)
        assert second.status_code == 201
        assert second.json()["data"]["id"] != first.json()["data"]["id"]


class TestConflict:
    @pytest.mark.parametrize(
        "changes", [{"firstName": "Eve"}, {"password": "other 123", "confirmPassword": "other 123"}]
    )
    def test_another_body_is_a_conflict(
        self, installed: Installation, visitor: Visitor, changes: dict[str, object]
    ) -> None:
        """Another body is a conflict at both doors, and nothing is written."""
        through_glue(visitor)
        before = (installed.rows(customer), installed.rows(mail), installed.rows(idempotency))
        told = result(through_graphql(visitor, **changes))
        assert (told["__typename"], told["code"]) == ("IdempotencyConflictError", "IDEMPOTENCY_CONFLICT")
        answer = through_glue(visitor, **changes)
        [error] = answer.json()["errors"]
        assert (answer.status_code, error) == (422, {"status": 422, "code": "9409", "detail": CONFLICT.detail})
        assert before == (installed.rows(customer), installed.rows(mail), installed.rows(idempotency))

    def test_another_language_is_a_conflict(self, visitor: Visitor) -> None:
        """The language that a customer chose is a part of the input; the language of the request is none."""
        assert result(through_graphql(visitor, language="DE"))["__typename"] == "CreateCustomerSuccess"
        assert result(through_graphql(visitor, language="DE"))["__typename"] == "CreateCustomerSuccess"
        assert result(through_graphql(visitor, language="EN"))["code"] == "IDEMPOTENCY_CONFLICT"

    def test_broken_rules_leave_the_key_unused(self, installed: Installation, visitor: Visitor) -> None:
        """A refused form can be corrected and sent again with its key."""
        assert through_glue(visitor, firstName="").status_code == 422
        assert installed.rows(idempotency) == []
        assert result(through_graphql(visitor))["__typename"] == "CreateCustomerSuccess"

    def test_the_description_tells_it(self, visitor: Visitor) -> None:
        """The OpenAPI document has the header and the code of the conflict."""
        operation = visitor.client.get("/openapi.json").json()["paths"]["/customers"]["post"]
        assert "Idempotency-Key" in [parameter.get("name") for parameter in operation["parameters"]]
        examples = operation["responses"]["422"]["content"]["application/vnd.api+json"]["examples"]
        assert any(CONFLICT.code in name for name in examples)


@pytest.mark.parametrize("key", ["short", "k" * 256], ids=["short", "long"])
def test_a_key_has_rules_of_its_own(installed: Installation, visitor: Visitor, key: str) -> None:
    """A malformed key is refused at both doors, and nothing is written."""
    told = result(visitor.graphql(CREATE, INPUT | {"idempotencyKey": key}))
    assert [violation["path"] for violation in told["violations"]] == [["input", "idempotencyKey"]]
    assert visitor.glue("POST", "/customers", FORM, idempotency_key=key).status_code == 422
    assert installed.rows(customer) == []


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("conceal", [False, True], ids=["reveal", "conceal"])
def test_twins_at_the_same_moment_are_one(
    serve: Serve, database_url: str, database: Database, *, conceal: bool
) -> None:
    """Simultaneous requests with one key at both doors make one customer, one mail and one answer a door."""
    gateway = serve(GATEWAY_DATABASE_URL=database_url, GATEWAY_DISCLOSURE="conceal" if conceal else "reveal")

    def send(number: int) -> tuple[int, bytes]:
        with Client(base_url=gateway.base_url, timeout=60) as client:
            response = (through_graphql, through_glue)[number % 2](Visitor(client))
            return response.status_code, response.content

    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(send, range(10)))
    assert answers == answers[:2] * 5
    assert (answers[0][0], answers[1][0]) == (200, 202 if conceal else 201)
    assert [len(rows(database, table)) for table in (customer, mail, idempotency)] == [1, 1, 1]

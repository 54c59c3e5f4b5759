"""Conceal mode: through both doors the same bytes and headers for every state of an address."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import TypeAlias

import pytest
from httpx2 import Response

from graphql_api.settings import GatewaySettings
from registration.mail.rendering import MailKind
from registration.storage.database import Database
from registration.storage.tables import customer, email_claim
from tests.in_process import Installation, installation
from tests.two_doors.visitor import FORM, INPUT, PASSWORD, Visitor

# Of one length, so that the lengths of answers can be compared.
ADDRESSES = {state: f"ada-{state[:4]}@example.org" for state in ("unknown", "pending", "expired", "confirmed")}
BOB = "bob@example.org"
KEY = "idempotency-key-1"
CREATE = """mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) { __typename
  ... on RegistrationAccepted { message } ... on UserError { code message } } }"""
RESEND = """mutation ($input: ResendConfirmationInput!) { resendConfirmation(input: $input) { __typename
  ... on ResendConfirmationAccepted { message } ... on UserError { code message } } }"""
FORGET = """mutation ($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) { __typename
  ... on RequestPasswordResetAccepted { message } ... on UserError { code message } } }"""
UPDATE = """mutation ($input: UpdateCustomerInput!) { updateCustomer(input: $input) { __typename
  ... on UpdateCustomerSuccess { customer { id email updatedAt } pendingEmail { sentTo expiresAt } }
  ... on UserError { code message } } }"""

Use: TypeAlias = Callable[[Visitor, str], Response]
USES: Mapping[str, Use] = {
    "createCustomer": lambda visitor, email: visitor.graphql(CREATE, {**INPUT, "email": email}),
    "resendConfirmation": lambda visitor, email: visitor.graphql(RESEND, {"email": email}),
    "requestPasswordReset": lambda visitor, email: visitor.graphql(FORGET, {"email": email}),
    "updateCustomer": lambda visitor, email: visitor.graphql(UPDATE, {"email": email}),
    "POST /customers": lambda visitor, email: visitor.glue("POST", "/customers", {**FORM, "email": email}),
    "POST /customer-forgotten-password": lambda visitor, email: visitor.glue(
        "POST", "/customer-forgotten-password", {"email": email}
    ),
    "PATCH /customers": lambda visitor, email: visitor.glue(
        "PATCH", f"/customers/{visitor.reference}", {"email": email}
    ),
}
STATUS = {"POST /customers": 202, "POST /customer-forgotten-password": 204}


@pytest.fixture
def installed(database: Database) -> Iterator[Installation]:
    """An installation with an address in every state."""
    with installation(database, GatewaySettings(disclosure="conceal")) as installed:
        sign_up(installed, ADDRESSES["expired"])
        installed.clock.move(timedelta(days=1))
        confirmed(installed, ADDRESSES["confirmed"])
        sign_up(installed, ADDRESSES["pending"])
        yield installed


@pytest.fixture
def bob(installed: Installation) -> Visitor:
    """A signed-in customer."""
    confirmed(installed, BOB)
    [reference] = [row["reference"] for row in installed.rows(customer) if row["email"] == BOB]
    tokens = Visitor(installed.client).glue("POST", "/access-tokens", {"username": BOB, "password": PASSWORD}).json()
    return Visitor(installed.client, reference, tokens["data"]["attributes"]["accessToken"])


def sign_up(installed: Installation, email: str) -> None:
    assert USES["POST /customers"](Visitor(installed.client), email).status_code == 202


def confirmed(installed: Installation, email: str) -> None:
    installed.clock.move(timedelta(microseconds=1))  # so that this key is the last one
    sign_up(installed, email)
    given = {"registrationKey": installed.keys(MailKind.CONFIRMATION)[-1]}
    assert Visitor(installed.client).glue("POST", "/customer-confirmation", given).status_code == 204


def seen(response: Response, sent: str) -> tuple[int, dict[str, str], bytes]:
    """All that a client sees, without the values that it sent and the correlation id."""
    headers = {name: value for name, value in response.headers.items() if name != "x-correlation-id"}
    return response.status_code, headers, response.content.replace(sent.encode(), b"SENT")


@pytest.mark.long
@pytest.mark.parametrize("use", USES)
def test_the_answer_is_the_same(bob: Visitor, use: str) -> None:
    """Unknown, pending, expired and confirmed addresses get the same status, headers and bytes."""
    answers = {state: seen(USES[use](bob, email), email) for state, email in ADDRESSES.items()}
    status, _, content = answers["unknown"]
    assert (status, b"code" in content) == (STATUS.get(use, 200), False)
    for state, answer in answers.items():
        assert answer == answers["unknown"], state


@pytest.mark.long
@pytest.mark.parametrize("use", USES)
def test_the_second_answer_is_the_same_too(bob: Visitor, use: str) -> None:
    """A second sign-up gets the same answer and limit for every state of the address."""
    answers = []
    for email in ADDRESSES.values():
        USES[use](bob, email)
        answers.append(seen(USES[use](bob, email), email))
    assert answers == [answers[0]] * len(ADDRESSES)


def test_replays_are_the_same_too(bob: Visitor) -> None:
    """Replays and idempotency conflicts are the same for every state of the address."""
    answers = []
    for number, email in enumerate(ADDRESSES.values()):
        given = {**INPUT, "email": email, "idempotencyKey": f"{KEY}-{number}"}
        told = [bob.graphql(CREATE, given), bob.graphql(CREATE, given), bob.graphql(CREATE, given | {"gender": "MALE"})]
        answers.append([seen(response, email) for response in told])
    assert answers == [answers[0]] * len(ADDRESSES)
    first, replay, conflict = answers[0]
    assert first == replay
    assert b"IDEMPOTENCY_CONFLICT" in conflict[2]


def test_what_is_not_concealed(bob: Visitor) -> None:
    """The policy tells the mode, and broken rules are answered for every state of the address."""
    policy = bob.graphql("{ registrationPolicy { disclosure confirmationRequired } }").json()
    assert policy == {"data": {"registrationPolicy": {"disclosure": "CONCEAL", "confirmationRequired": True}}}
    answers = [
        seen(bob.glue("POST", "/customers", {**FORM, "firstName": "", "email": email}), email)
        for email in ADDRESSES.values()
    ]
    assert answers[0][0] == 422
    assert answers == [answers[0]] * len(ADDRESSES)


def test_what_is_written_for_a_known_address_is_no_customer(installed: Installation, bob: Visitor) -> None:
    """The reference of a decoy row is answered like an unknown one."""
    USES["POST /customers"](bob, ADDRESSES["confirmed"])
    [decoy] = [row for row in installed.rows(customer) if row["anonymized_at"]]
    claims = {row["customer_id"]: row["address"] for row in installed.rows(email_claim)}
    assert claims[decoy["id"]] == decoy["email"]
    for method in ("GET", "PATCH", "DELETE"):
        of_decoy, unknown = (bob.glue(method, f"/customers/{name}") for name in (decoy["reference"], "DE--00"))
        assert seen(of_decoy, decoy["reference"]) == seen(unknown, "DE--00")


def test_the_document_of_a_sign_up_has_no_id(bob: Visitor) -> None:
    """The document of a sign-up repeats the attributes without the password, and has no id."""
    assert USES["POST /customers"](bob, BOB).json()["data"] == {
        "type": "customers",
        "attributes": {
            "email": BOB,
            "gender": "Female",
            "salutation": "Ms",
            "firstName": "Ada",
            "lastName": "Beispiel",
            "dateOfBirth": None,
            "createdAt": None,
            "updatedAt": None,
        },
        "links": {"self": "http://127.0.0.1:8000/customers"},
    }

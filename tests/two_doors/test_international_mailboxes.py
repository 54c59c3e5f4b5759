"""Where the mail server lacks SMTPUTF8, no customer can get an address that it cannot write to."""

from collections.abc import Iterator

import pytest

from graphql_api.settings import GatewaySettings
from registration.storage.database import Database
from registration.storage.tables import customer
from tests.in_process import Installation, installation
from tests.two_doors.visitor import FORM, INPUT, PASSWORD, Visitor

SIGN_UP = """
mutation ($input: CreateCustomerInput!) {
  createCustomer(input: $input) { __typename ... on InvalidInputError { violations { path code } } }
}
"""
SIGN_IN = """
mutation ($input: CreateAccessTokenInput!) {
  createAccessToken(input: $input) { ... on CreateAccessTokenSuccess { tokens { accessToken } } }
}
"""
UPDATE = """
mutation ($input: UpdateCustomerInput!) {
  updateCustomer(input: $input) { __typename ... on InvalidInputError { violations { path code } } }
}
"""
NOT_AN_EMAIL = {"__typename": "InvalidInputError", "violations": [{"path": ["input", "email"], "code": "NOT_AN_EMAIL"}]}


@pytest.fixture
def installed(database: Database) -> Iterator[Installation]:
    with installation(database, GatewaySettings(confirmation="off"), smtputf8=False) as running:
        yield running


def test_a_sign_up_is_refused(installed: Installation) -> None:
    """A mailbox with letters outside ASCII is no address for either door, and no customer is stored."""
    visitor = Visitor(installed.client)
    found = visitor.graphql(SIGN_UP, INPUT | {"email": "jörg@example.org"}).json()["data"]["createCustomer"]
    assert found == NOT_AN_EMAIL
    response = visitor.glue("POST", "/customers", FORM | {"email": "jörg@example.org"})
    [error] = response.json()["errors"]
    assert (response.status_code, error["code"], error["detail"]) == (422, "416", "Invalid Email address format.")
    assert installed.rows(customer) == []


def test_a_domain_may_have_any_letters(installed: Installation) -> None:
    """A domain with letters outside ASCII is accepted: it has a form in ASCII."""
    visitor = Visitor(installed.client)
    answer = visitor.graphql(SIGN_UP, INPUT | {"email": "joerg@bücher.example.net"}).json()
    assert answer["data"]["createCustomer"] == {"__typename": "CreateCustomerSuccess"}


def test_a_change_of_address_is_refused(installed: Installation) -> None:
    """A change to a mailbox with letters outside ASCII is refused by both doors."""
    stranger = Visitor(installed.client)
    stranger.graphql(SIGN_UP, INPUT)
    signed_in = stranger.graphql(SIGN_IN, {"email": FORM["email"], "password": PASSWORD}).json()["data"]
    [row] = installed.rows(customer)
    ada = Visitor(installed.client, row["reference"], signed_in["createAccessToken"]["tokens"]["accessToken"])
    answer = ada.graphql(UPDATE, {"email": "ädä@example.org"}).json()
    assert answer["data"]["updateCustomer"] == NOT_AN_EMAIL
    response = ada.glue("PATCH", f"/customers/{ada.reference}", {"email": "ädä@example.org"})
    assert response.status_code == 422
    assert [row["email"] for row in installed.rows(customer)] == [FORM["email"]]

"""Text that means something to an interpreter is text: it is stored and shown as it was typed, through both doors."""

from collections.abc import Iterator

import pytest

from graphql_api.settings import GatewaySettings
from registration.storage.database import Database
from registration.storage.tables import customer
from tests.in_process import Installation, installation
from tests.two_doors.visitor import FORM, INPUT, Visitor

SIGN_UP = """
mutation ($input: CreateCustomerInput!) {
  createCustomer(input: $input) { __typename ... on CreateCustomerSuccess { customer { firstName lastName } } }
}
"""
TEXTS = [
    "%41%0a",
    "A%2541",
    "&#65;&amp;lt;",
    "\\u0041\\x41\\101",
    "=?utf-8?q?=41?=",
    "QWRh",
    "x'; DROP TABLE customer; --",
    "x' OR '1'='1",
    '"; SELECT pg_sleep(9); --',
    "%(id)s %s :id ? $1",
    "{0.__class__} {customer.password_hash} {}",
    "{{ 7 * 7 }}{% raw %}${7*7}#{7*7}<%= 7*7 %>",
    "**bold** [b]x[/b] <style>*{}</style>",
    "$(id) `id` | id; ../../etc/passwd",
    "*)(uid=*))(|(uid=*",
    "${jndi:ldap://127.0.0.1/a}",
]


@pytest.fixture
def installed(database: Database) -> Iterator[Installation]:
    with installation(database, GatewaySettings()) as running:
        yield running


@pytest.mark.long
@pytest.mark.parametrize("typed", TEXTS)
def test_text_that_looks_like_something_else_comes_back_as_sent(installed: Installation, typed: str) -> None:
    """Escapes, SQL, templates, format strings and markup in a name are neither decoded nor run by anything."""
    visitor = Visitor(installed.client)
    names = {"firstName": typed, "lastName": typed}
    shown = visitor.graphql(SIGN_UP, INPUT | names | {"email": "ada@example.org"}).json()
    document = visitor.glue("POST", "/customers", FORM | names | {"email": "bea@example.org"}).json()
    assert shown["data"]["createCustomer"]["customer"] == names
    assert {name: document["data"]["attributes"][name] for name in names} == names
    rows = installed.rows(customer)
    assert [(row["first_name"], row["last_name"]) for row in rows] == [(typed, typed)] * 2

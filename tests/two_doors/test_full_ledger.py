"""An erasure that the ledger cannot take, at both doors: it is answered 503, and nothing is erased."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pytest

from graphql_api.settings import GatewaySettings
from harness.disk import SmallDisk
from registration.keys.secret import Secret
from registration.records.ledger import Ledger
from registration.storage.database import Database
from registration.storage.tables import attempt, metadata
from tests.in_process import Installation, installation
from tests.registration.stored import rows
from tests.two_doors.visitor import FORM, INPUT, PASSWORD, Visitor

CREATE = """mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) {
  ... on CreateCustomerSuccess { customer { reference } } } }"""
CONFIRM = "mutation ($input: ConfirmCustomerInput!) { confirmCustomer(input: $input) { __typename } }"
ERASE = "mutation ($input: AnonymizeCustomerInput!) { anonymizeCustomer(input: $input) { __typename } }"

Trouble: TypeAlias = Callable[[SmallDisk], AbstractContextManager[None]]


@pytest.fixture
def gateway(database: Database, disk: SmallDisk) -> Iterator[Installation]:
    ledger = Ledger(disk.path / "erasures", Secret(b"k" * 32))
    ledger.record([], datetime.now(UTC))
    with installation(database, GatewaySettings(), ledger=ledger) as running:
        yield running


@pytest.fixture
def customer(gateway: Installation) -> Visitor:
    """A confirmed customer who is signed in."""
    visitor = Visitor(gateway.client)
    reference = visitor.graphql(CREATE, INPUT).json()["data"]["createCustomer"]["customer"]["reference"]
    visitor.graphql(CONFIRM, {"token": gateway.confirmation_keys()[0]})
    answer = visitor.glue("POST", "/access-tokens", {"username": FORM["email"], "password": PASSWORD})
    return Visitor(gateway.client, reference, answer.json()["data"]["attributes"]["accessToken"])


@pytest.mark.parametrize("trouble", [SmallDisk.full, SmallDisk.read_only])
def test_nothing_is_erased_without_an_entry(
    gateway: Installation, customer: Visitor, disk: SmallDisk, trouble: Trouble
) -> None:
    """While the ledger cannot be written, both doors answer 503 and leave every row; the next try succeeds."""
    before = content(gateway)
    with trouble(disk):
        answer = customer.graphql(ERASE, {})
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
        rest = customer.glue("DELETE", f"/customers/{customer.reference}")
        assert (rest.status_code, rest.json()["errors"][0]["status"]) == (503, 503)
        assert all(each.headers["retry-after"] for each in (answer, rest))
    assert content(gateway) == before
    assert customer.glue("DELETE", f"/customers/{customer.reference}").status_code == 204
    assert "ada@example.org" not in str(content(gateway))


def content(gateway: Installation) -> dict[str, Any]:
    """Every row, but for the counts of what is tried."""
    tables = [table for table in metadata.sorted_tables if table is not attempt]
    return {table.name: rows(gateway.services.database, table) for table in tables}

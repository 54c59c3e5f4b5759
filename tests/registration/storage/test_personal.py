"""Personal columns: erasure, decoys and the erasure proof act on every column that carries the mark, and on no list."""

import re
from uuid import uuid4

import pytest
from sqlalchemy import MetaData, String, Table, select

from registration.account.erasure import anonymize, emptied_row
from registration.account.erasure_proof import Wanted, prove
from registration.addresses.decoys import decoy_of
from registration.services import Services
from registration.storage import tables
from registration.storage.personal import OnErasure, deleted_tables, owned_rows, personal, personal_columns
from tests.registration.callers import caller_of
from tests.registration.members import CLIENT, member

SHOE_SIZE = "42 1/2"

KEPT = {
    "customer.id": "says which row it is; random",
    "customer.reference": "stays in invoices of the shop; a number",
    "customer.language": "one of a few values, common to many customers",
    "customer.terms_accepted_at": "proves that terms were accepted",
    "customer.created_at": "statistics",
    "customer.updated_at": "statistics",
    "customer.confirmed_at": "tells customers from decoys",
    "customer.password_changed_at": "ends sessions that are older",
    "customer.blocked_at": "keeps sign-ins out; says nothing of the person",
    "customer.anonymized_at": "says that the person is erased",
    "audit.id": "says which row it is; random",
    "audit.kind": "what happened, one of a few values",
    "audit.customer_id": "the row of an erased customer names no person",
    "audit.correlation_id": "random; leads to log lines that name no person",
    "audit.operator": "names an employee of the shop, not the customer",
    "audit.created_at": "when it happened",
    "event.id": "says which row it is; random",
    "event.kind": "what happened, one of a few values",
    "event.customer_id": "the row of an erased customer names no person",
    "event.created_at": "when it happened",
    "operator_token.name": "names an employee of the shop, not a customer",
    "operator_token.digest": "belongs to no customer",
    "operator_token.scopes": "belongs to no customer",
    "operator_token.created_at": "belongs to no customer",
    "operator_token.expires_at": "belongs to no customer",
    "operator_token.ended_at": "belongs to no customer",
    "counter.name": "belongs to no customer",
    "counter.next": "belongs to no customer",
    "installation.id": "belongs to no customer",
    "installation.oldest_revision": "belongs to no customer",
    "installation.secret": "belongs to no customer",
    "installation.signing_keys": "belongs to no customer",
    "probe.id": "belongs to no customer",
    "probe.filler": "belongs to no customer",
    "attempt.key": "an HMAC under the secret; erasure deletes those of the customer's addresses",
    "attempt.count": "a number beside the key",
    "attempt.window_ends_at": "a moment beside the key",
}
"""Columns that stay when a customer is erased, each with the reason."""


def with_shoe_size(name: str = "customer") -> tuple[MetaData, Table]:
    """A copy of all tables, in which one has a made-up personal column."""
    copy = MetaData()
    for table in tables.metadata.tables.values():
        table.to_metadata(copy)
    copy.tables[name].append_column(personal("shoe_size", String(50)))
    return copy, copy.tables[name]


def test_every_column_goes_with_its_customer_or_is_kept_for_a_reason() -> None:
    """A new column fails here until it is marked as personal, or its reason to stay is on the list."""
    stays = {
        f"{table.name}.{column.name}"
        for table in tables.metadata.tables.values()
        if not (rows := owned_rows(table)) or rows.on_erasure is OnErasure.EMPTY
        for column in table.columns
        if column not in personal_columns(table)
    }
    assert stays == set(KEPT)


def test_every_table_with_a_customer_is_owned() -> None:
    """A new table whose rows name a customer fails here until it says what erasure does with them."""
    named = {table for table in tables.metadata.tables.values() if "customer_id" in table.columns}
    assert {table for table in named if owned_rows(table) is None} == set()


def test_sessions_are_deleted_before_their_tokens() -> None:
    """Erasure deletes sessions before refresh tokens: a refresh in flight has its session locked while it writes."""
    names = [table.name for table in deleted_tables(tables.metadata)]
    assert names.index("session") < names.index("refresh_token")


class TestMadeUpColumn:
    def test_is_emptied_by_erasure(self) -> None:
        """Erasure empties a made-up personal column, without a line of code for it."""
        _, customer = with_shoe_size()
        assert emptied_row(uuid4, customer)["shoe_size"] is None
        assert "shoe_size" not in emptied_row(uuid4)

    def test_is_not_in_a_decoy(self) -> None:
        """A decoy of conceal mode does not hold the value of a made-up personal column."""
        _, customer = with_shoe_size()
        row = {"shoe_size": SHOE_SIZE, "password_hash": "$argon2id", "created_at": None}
        assert decoy_of(row, uuid4(), customer)["shoe_size"] is None
        assert decoy_of(row, uuid4())["shoe_size"] == SHOE_SIZE

    @pytest.mark.parametrize("table", ["customer", "audit"])
    def test_is_looked_into_by_the_erasure_proof(self, services: Services, table: str) -> None:
        """The erasure proof finds a value that is left in a made-up personal column, also if it is not told of it."""
        declared, changed = with_shoe_size(table)
        ada = caller_of(services, member(services).tokens)
        services.database.write(
            lambda connection: connection.exec_driver_sql(f"ALTER TABLE {table} ADD shoe_size TEXT")
        )
        anonymize(services, ada, None, CLIENT)
        left = changed.update().values(shoe_size=SHOE_SIZE)
        services.database.write(lambda connection: connection.execute(left))

        def columns_with_a_trace(declared: MetaData) -> set[str]:
            person = Wanted(["ada@example.org"], [])
            looked = prove(services.database, services.secret, ada.customer.reference, person, declared)
            assert isinstance(looked, list)
            return {column for place in looked if place.place == f"table {table}" for column in place.found}

        assert columns_with_a_trace(declared) == {"shoe_size"}
        assert columns_with_a_trace(tables.metadata) == set()

    def test_is_really_emptied_in_a_database(self, services: Services) -> None:
        """The statement of erasure empties the made-up column in a database."""
        _, customer = with_shoe_size()
        ada = caller_of(services, member(services).tokens)
        services.database.write(
            lambda connection: connection.exec_driver_sql("ALTER TABLE customer ADD shoe_size TEXT")
        )
        services.database.write(lambda connection: connection.execute(customer.update().values(shoe_size=SHOE_SIZE)))
        emptied = customer.update().where(customer.c.id == ada.customer.id).values(emptied_row(uuid4, customer))
        services.database.write(lambda connection: connection.execute(emptied))
        row = services.database.read(lambda connection: connection.execute(select(customer)).one())
        assert row.shoe_size is row.first_name is None
        assert re.fullmatch(r"[0-9a-f]{32}@[0-9a-f]{32}\.[0-9a-f]{32}", row.email)

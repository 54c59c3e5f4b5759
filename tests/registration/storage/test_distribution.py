"""The schema fits an engine of several nodes: what such an engine refuses is read from PostgreSQL's catalogue."""

import re
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Executable, TextClause, Uuid, delete, exists, literal, select, text, update

from registration.storage.database import Database, open_database
from registration.storage.slices import change_unlocked
from registration.storage.tables import counter, customer, email_claim, mail, metadata, refresh_token, session
from registration.storage.tables.distribution import MARK, distribution_column, group_of
from tests import statements
from tests.shards import Trouble, troubles

UNIQUE_KEYS = text("""
    SELECT tables.relname AS table_name, keys.relname AS key_name,
        ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = keys.oid ORDER BY attnum) AS columns
    FROM pg_index JOIN pg_class AS keys ON keys.oid = indexrelid JOIN pg_class AS tables ON tables.oid = indrelid
    WHERE indisunique AND tables.relnamespace = 'public'::regnamespace
""")
NULLABLE = text("""
    SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' AND is_nullable = 'YES'
""")
FOREIGN_KEYS = text("""
    SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'
""")
PARTS_IN_THE_WAY = text("""
    SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT conname FROM pg_constraint WHERE contype = 'x'
""")
# Why a unique key lacks the column.
NARROW = {
    "uq_session_id": "nodes of 0.2.0 insert ON CONFLICT (id); the release after the one with revision 0013 drops it",
    "uq_customer_reference": "a net on engines of one node, for a counter that was set back; `distribute` drops it",
    "uq_refresh_token_digest": "nodes of 0.2.0 insert ON CONFLICT (digest); dropped with uq_session_id",
}
DISTRIBUTED_BY = {name: distribution_column(table) for name, table in metadata.tables.items()}


def look(url: str, query: TextClause) -> list[tuple[Any, ...]]:
    database = open_database(url)
    try:
        return database.read(lambda connection: [tuple(row) for row in connection.execute(query)])
    finally:
        database.close()


def test_every_table_says_how_it_is_distributed() -> None:
    """Each declared table has the mark, and the mark names a column of it."""
    assert {name for name, table in metadata.tables.items() if MARK not in table.info} == set()


def test_each_unique_key_holds_the_distribution_column(postgresql_url: str) -> None:
    """In PostgreSQL's catalogue each primary and unique key of a distributed table has its distribution column.

    The others are on a list, with the reason.
    """
    keys = look(postgresql_url, UNIQUE_KEYS)
    assert {name for _, name, _ in keys} > {f"pk_{name}" for name in metadata.tables}
    narrow = {
        name
        for table, name, columns in keys
        if (column := DISTRIBUTED_BY.get(table)) is not None and column.name not in columns
    }
    assert narrow == NARROW.keys()


def test_a_distribution_column_is_never_null(postgresql_url: str) -> None:
    """A row without a value in the distribution column would have no shard."""
    nullable = set(look(postgresql_url, NULLABLE))
    assert {(name, column.name) for name, column in DISTRIBUTED_BY.items() if column is not None} & nullable == set()


def test_foreign_keys_stay_within_a_shard(postgresql_url: str) -> None:
    """No foreign key leads to a table that lies elsewhere; there is no trigger and no exclusion."""
    groups = {name: group_of(table) for name, table in metadata.tables.items()}
    keys = look(postgresql_url, FOREIGN_KEYS)
    assert [(one, other) for one, other in keys if groups[one] != groups[other]] == []
    assert look(postgresql_url, PARTS_IN_THE_WAY) == []


@pytest.mark.parametrize("function", statements.ACROSS_SHARDS)
def test_each_exception_is_a_function(function: str) -> None:
    """The list of functions that may ask every shard names functions that exist."""
    assert callable(resolve_name(function))


ONE, TWO = uuid4(), uuid4()
OTHER = session.alias()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (select(customer).where(customer.c.id == ONE), set()),
        (select(customer).where(customer.c.id == ONE).with_for_update(), set()),
        (select(customer).where(customer.c.id.in_([ONE, TWO])), set()),
        (update(mail).where(mail.c.id == ONE, mail.c.bucket.in_([1, 2])).values(attempts=1), set()),
        (select(counter), set()),
        (
            select(customer)
            .join(session, session.c.customer_id == customer.c.id)
            .where((customer.c.id == ONE) & (session.c.id == TWO)),
            set(),
        ),
        (
            select(session).where(
                session.c.customer_id == ONE,
                exists().where(refresh_token.c.customer_id == session.c.customer_id),
            ),
            set(),
        ),
        (select(customer).where(customer.c.reference == "DE--1"), {Trouble.EVERY_SHARD}),
        (select(customer).where((customer.c.id == ONE) | (customer.c.reference == "a")), {Trouble.EVERY_SHARD}),
        (select(customer).where(customer.c.id != ONE), {Trouble.EVERY_SHARD}),
        (delete(session).where(session.c.id == ONE), {Trouble.EVERY_SHARD}),
        (
            select(session).where(session.c.customer_id == ONE, exists().where(OTHER.c.id == session.c.id)),
            {Trouble.EVERY_SHARD},
        ),
        (
            select(customer).where(customer.c.id.in_(select(session.c.customer_id).where(session.c.id == ONE))),
            {Trouble.EVERY_SHARD},
        ),
        (select(customer).where(customer.c.id.in_([ONE, TWO])).with_for_update(), {Trouble.LOCKS}),
        (select(session).where(session.c.id == ONE).with_for_update(skip_locked=True), {Trouble.LOCKS}),
        (
            select(customer)
            .join(email_claim, email_claim.c.customer_id == customer.c.id)
            .where(customer.c.id == ONE, email_claim.c.address == "a"),
            {Trouble.APART},
        ),
        (text("SELECT 1"), set()),
        (text("DELETE FROM session"), {Trouble.UNREADABLE}),
    ],
)
def test_statements_are_judged(statement: Executable, expected: set[Trouble]) -> None:
    """What an engine of several nodes refuses, or asks every shard for, is told from the statement."""
    assert troubles(statement) == expected


def test_a_statement_that_strays_is_found(database: Database) -> None:
    """The collector sees what the program sends, names the function, and judges it; what a test sends is its own."""
    database.write(lambda connection: connection.execute(delete(session).where(session.c.id == ONE)))
    assert statements.new_strays() == []
    key = database.read(lambda connection: connection.execute(select(literal(ONE, Uuid))).one())
    claimed = delete(customer).where(customer.c.email.in_(select(email_claim.c.address)))
    database.write(lambda connection: change_unlocked(connection, claimed, [key]))
    strays = statements.new_strays()
    assert {stray.partition(": DELETE FROM customer")[0] for stray in strays} == {
        f"registration.storage.slices.change_unlocked {trouble.value}"
        for trouble in (Trouble.EVERY_SHARD, Trouble.APART)
    }


def test_the_page_has_the_table() -> None:
    """The table of docs/architecture.md says by which column each table is distributed."""
    page = Path("docs/architecture.md").read_text("utf-8")
    listed = set(re.findall(r"^\| `(\w+)` \| (`\w+`|everywhere) \|", page, re.MULTILINE))
    assert listed == {
        (name, "everywhere" if column is None else f"`{column.name}`") for name, column in DISTRIBUTED_BY.items()
    }

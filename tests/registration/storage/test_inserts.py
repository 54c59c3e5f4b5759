"""Rows that are inserted together, on both engines."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Table, event, insert
from sqlalchemy.exc import DataError, IntegrityError

from registration.storage import tables
from registration.storage.database import Database
from registration.storage.inserts import gathered, insert_new_together
from tests.registration.stored import counts, rows

NOW = datetime(2026, 3, 5, 7, 9, tzinfo=UTC)
ID = uuid4()
EVENT = {"id": ID, "kind": "customer.created", "customer_id": ID, "created_at": NOW}
TOKEN = {"digest": "d" * 64, "customer_id": ID, "expires_at": NOW, "code": None, "code_failures": None}
CLAIM = {"address": "ada@example.org", "customer_id": ID}
INSERTS = {table: insert(table) for table in tables.metadata.tables.values()}
ROWS: list[tuple[Table, dict[str, object]]] = [
    (tables.event, EVENT),
    (tables.confirmation_token, TOKEN),
    (tables.email_claim, CLAIM),
]


def inserting(given: list[tuple[Table, dict[str, object]]]) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        with gathered(connection) as batch:
            for table, row in given:
                batch.execute(INSERTS[table], row)

    return work


@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_row_is_there_with_every_value(database: Database, number: int) -> None:
    """Rows of several tables are written with all their values."""
    database.write(inserting(ROWS[:number]))
    for table, row in ROWS[:number]:
        assert rows(database, table) == [row]


def test_rows_of_one_table_are_written_together(database: Database) -> None:
    """Rows of one table are written with every value as it was, whatever it looks like; None becomes null."""
    texts = ["\\", '"', "{}", "', '", "NULL", "null", "", " ", "\u00fc\U0001f642\u2028", "%s %(a)s :a", "x" * 500]
    mails = [mail_with(text, number) for number, text in enumerate([*texts, None])]
    database.write(inserting([(tables.mail, row) for row in mails]))
    assert sorted(rows(database, tables.mail), key=lambda row: row["attempts"]) == mails


def mail_with(reason: str | None, number: int) -> dict[str, object]:
    return {
        "id": uuid4(),
        "bucket": number,
        "kind": "confirmation",
        "customer_id": ID,
        "token_id": None,
        "status": "waiting",
        "attempts": number,
        "due_at": NOW + timedelta(microseconds=number),
        "created_at": NOW,
        "settled_at": None,
        "reason": reason,
        "failing_since": None,
        "correlation_id": None,
        "traceparent": None,
        "recipient": None,
    }


class TestNew:
    def test_returns_the_new_rows(self, database: Database) -> None:
        """The values of the new rows are returned, and rows whose key is there stay as they are."""
        claims = [{"address": address, "customer_id": uuid4()} for address in ("a", "b", "c")]
        others = [claim | {"customer_id": uuid4()} for claim in claims] + [{"address": "d", "customer_id": uuid4()}]
        assert new(database, claims) == {claim["customer_id"] for claim in claims}
        assert new(database, others) == {others[-1]["customer_id"]}
        assert sorted(rows(database, tables.email_claim), key=lambda row: row["address"]) == [*claims, others[-1]]

    def test_first_of_a_key_is_the_new_one(self, database: Database) -> None:
        """Of several rows with one key in one statement the first is new."""
        claims = [{"address": "a", "customer_id": uuid4()} for _ in range(3)]
        assert new(database, claims) == {claims[0]["customer_id"]}

    def test_no_rows_return_nothing(self, database: Database) -> None:
        """For no rows nothing is returned."""
        assert new(database, []) == set()

    def test_value_that_does_not_fit_is_refused(self, database: Database) -> None:
        """PostgreSQL refuses a value that is too long for its column; SQLite has no lengths."""
        claims: list[dict[str, object]] = [{"address": "a" * 321, "customer_id": uuid4()}]
        if database.dialect == "sqlite":
            assert new(database, claims)
        else:
            with pytest.raises(DataError):
                new(database, claims)
            assert counts(database) == {}


def new(database: Database, claims: Sequence[Mapping[str, object]]) -> set[object]:
    column = tables.email_claim.c.customer_id
    return set(database.write(lambda connection: insert_new_together(connection, column, claims)))


def test_each_table_gets_one_statement(database: Database) -> None:
    """Each table gets one INSERT, however many rows it has."""
    seen: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    database.write(inserting([*ROWS, (tables.event, EVENT | {"id": uuid4()})]))
    assert sum("INSERT" in statement for statement in seen) == len(ROWS)


def test_nothing_is_written_when_the_block_raises(database: Database) -> None:
    """When the block raises, or a row is refused, no row is written."""

    def raises(connection: Connection) -> None:
        with gathered(connection) as batch:
            batch.execute(INSERTS[tables.event], EVENT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        database.write(raises)
    database.write(inserting(ROWS[:1]))
    with pytest.raises(IntegrityError):
        database.write(inserting(ROWS))
    assert counts(database) == {"event": 1}

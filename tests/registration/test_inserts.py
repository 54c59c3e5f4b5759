"""Rows inserted together, on both engines."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Table, event, insert
from sqlalchemy.exc import IntegrityError

from registration import tables
from registration.database import Database
from registration.inserts import Inserts, gathered
from tests.registration.stored import counts, rows

NOW = datetime(2026, 3, 5, 7, 9, tzinfo=UTC)
ID = uuid4()
EVENT = {"id": ID, "kind": "customer.created", "customer_id": ID, "created_at": NOW}
TOKEN = {"digest": "d" * 64, "customer_id": ID, "expires_at": NOW}
CLAIM = {"address": "ada@example.org", "customer_id": ID}
ROWS: list[tuple[Table, dict[str, object]]] = [
    (tables.event, EVENT),
    (tables.confirmation_token, TOKEN),
    (tables.email_claim, CLAIM),
]


def inserting(given: list[tuple[Table, dict[str, object]]]) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        with gathered(connection) as inserts:
            for table, row in given:
                inserts.execute(insert(table), row)

    return work


@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_row_is_there_with_every_value(database: Database, number: int) -> None:
    """Columns of one name in several tables keep their own values."""
    database.write(inserting(ROWS[:number]))
    for table, row in ROWS[:number]:
        assert rows(database, table) == [row]


def test_one_statement_writes_all_on_postgresql(database: Database) -> None:
    """SQLite has none that writes several tables, and no round trip to save."""
    seen: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    database.write(inserting(ROWS))
    assert sum("INSERT" in statement for statement in seen) == (1 if database.dialect == "postgresql" else 3)


def test_nothing_is_written_when_the_block_raises(database: Database) -> None:
    """Or when one of the rows is refused: all or none."""

    def raises(connection: Connection) -> None:
        with gathered(connection) as inserts:
            inserts.execute(insert(tables.event), EVENT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        database.write(raises)
    database.write(inserting(ROWS[:1]))
    with pytest.raises(IntegrityError):
        database.write(inserting(ROWS))
    assert counts(database) == {"event": 1}


def test_keeps_rows_in_their_order() -> None:
    """Until they are asked for."""
    inserts = Inserts()
    for table, row in ROWS:
        inserts.execute(insert(table), row)
    assert inserts.rows == ROWS

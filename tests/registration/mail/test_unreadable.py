"""Rows that cannot be read, as after a hand-made change of the database or a damaged file."""

from uuid import UUID

import pytest
from sqlalchemy import Connection, Table, bindparam, text
from sqlalchemy.exc import ProgrammingError
from structlog.testing import capture_logs

from registration.mail.outbox import park_unreadable
from registration.storage.database import Database, Unavailable, open_database
from registration.storage.tables import confirmation_token, customer, mail
from tests.registration.mail.relays import ScriptedSender, listed, relay_of
from tests.registration.people import NOW, signed_up

# By engine: PostgreSQL checks the types, but takes values that Python has no room for.
ROWS = [
    ("sqlite", mail, "id", "not an id"),
    ("sqlite", mail, "customer_id", "not an id"),
    ("sqlite", mail, "token_id", "not an id"),
    ("sqlite", mail, "created_at", "not a moment"),
    ("sqlite", mail, "kind", "unheard-of"),
    ("sqlite", customer, "language", "xx"),
    ("sqlite", customer, "date_of_birth", "yesterday"),
    ("sqlite", confirmation_token, "expires_at", "tomorrow"),
    ("postgresql", mail, "created_at", "infinity"),
    ("postgresql", mail, "kind", "unheard-of"),
    ("postgresql", customer, "language", "xx"),
    ("postgresql", customer, "date_of_birth", "0044-03-15 BC"),
    ("postgresql", confirmation_token, "expires_at", "infinity"),
]


def spoil(database: Database, table: Table, column: str, value: str, customer_id: UUID) -> None:
    """Write a value of another type into one customer's row."""
    owner = "id" if table is customer else "customer_id"
    literal = f"'{value}'"  # PostgreSQL takes a literal for any type
    statement = text(f"UPDATE {table.name} SET {column} = {literal} WHERE {owner} = :owner")  # noqa: S608 - constants
    bound = statement.bindparams(bindparam("owner", customer_id, type_=table.c[owner].type))
    database.write(lambda connection: connection.execute(bound))


@pytest.mark.parametrize(("dialect", "table", "column", "value"), ROWS)
def test_a_mail_that_cannot_be_read_is_parked_by_itself(
    request: pytest.FixtureRequest, dialect: str, table: Table, column: str, value: str
) -> None:
    """A mail of which a row cannot be read is parked at once, and the others of its batch are sent."""
    database = open_database(request.getfixturevalue(f"{dialect}_url"))
    for _ in range(5):
        signed_up(database)
    spoil(database, table, column, value, signed_up(database))
    sender = ScriptedSender()
    with capture_logs() as logs:
        relay_of(database, sender).run_once()
    assert len(sender.handed) == len(listed(database, "sent")) == 5
    [entry] = listed(database, "parked")
    assert entry.reason is not None
    assert entry.reason.startswith(("the row cannot be read: ", "a bug of the gateway: "))
    assert [line["log_level"] for line in logs].count("error") == 1
    assert column == "kind" or value not in str(logs)
    database.close()


def test_a_row_that_cannot_be_read_is_listed_as_far_as_it_can(database: Database) -> None:
    """A list has a row that cannot be read, without what cannot be read, among the others."""
    value = "not a moment" if database.dialect == "sqlite" else "infinity"
    spoil(database, mail, "created_at", value, signed_up(database))
    signed_up(database)
    entries = [(entry.kind, entry.created_at) for entry in listed(database, "waiting")]
    assert sorted(entries, key=str) == [("confirmation", None), ("confirmation", NOW)]


def test_a_database_that_does_not_work_parks_no_mail(sqlite_url: str) -> None:
    """While the database is locked, a relay claims nothing; mails wait."""
    database, other = open_database(sqlite_url, wait=0.05), open_database(sqlite_url)
    signed_up(database)

    def run_once(_connection: Connection) -> None:
        with pytest.raises(Unavailable):
            relay_of(database, ScriptedSender()).run_once()

    other.write(run_once)
    assert len(listed(database, "waiting")) == 1
    database.close()
    other.close()


def test_a_table_that_is_missing_parks_no_mail(database: Database) -> None:
    """Where a mail cannot be looked up because the schema is wrong, it waits."""
    signed_up(database)
    rename = "ALTER TABLE confirmation_token RENAME TO gone"
    database.write(lambda connection: connection.exec_driver_sql(rename))
    with pytest.raises((Unavailable, ProgrammingError)):
        relay_of(database, ScriptedSender()).run_once()
    assert len(listed(database, "waiting")) == 1
    database.write(lambda connection: connection.exec_driver_sql("ALTER TABLE gone RENAME TO confirmation_token"))


def test_a_column_that_is_missing_parks_no_mail(database: Database) -> None:
    """A mail that cannot be read because the schema is wrong waits, and is not parked for its row."""
    signed_up(database)
    database.write(lambda connection: connection.exec_driver_sql("ALTER TABLE mail RENAME COLUMN token_id TO gone"))
    with pytest.raises((Unavailable, ProgrammingError)):
        database.write(lambda connection: park_unreadable(connection, NOW, 10))
    database.write(lambda connection: connection.exec_driver_sql("ALTER TABLE mail RENAME COLUMN gone TO token_id"))
    assert len(listed(database, "waiting")) == 1


def test_a_list_of_a_database_that_does_not_work_fails(database: Database) -> None:
    """A list fails where not a row but the schema is wrong."""
    database.write(lambda connection: connection.exec_driver_sql("ALTER TABLE mail RENAME TO gone"))
    with pytest.raises((Unavailable, ProgrammingError)):
        listed(database, "waiting")
    database.write(lambda connection: connection.exec_driver_sql("ALTER TABLE gone RENAME TO mail"))

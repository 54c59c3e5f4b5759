"""Migrations: an empty database gets the declared tables, on every engine, all at once or not at all."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, insert, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from harness.gateway import COMMAND
from harness.postgres import create_database, drop_database
from registration.storage import migrations
from registration.storage.column_types import Choice, Instant
from registration.storage.database import Database, Unavailable, open_database
from registration.storage.migrations import UnknownRevisionError, migrate
from registration.storage.revision import is_usable, newest
from registration.storage.tables import audit, counter, customer, metadata, refresh_token, session
from tests.registration.people import NOW
from tests.registration.stored import WAITING, counts, rows
from tests.waiting import PATIENCE, eventually


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without a table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.db"
    else:
        server, name = request.getfixturevalue("postgres_url"), f"empty_{uuid4().hex}"
        yield create_database(server, name)
        drop_database(server, name)


@pytest.fixture
def new(empty: str) -> Iterator[Database]:
    database = open_database(empty)
    yield database
    database.close()


def tables(database: Database) -> set[str]:
    return set(database.read(lambda connection: inspect(connection).get_table_names()))


def is_ready(database: Database) -> bool:
    return database.read(lambda connection: is_usable(connection, newest()))


def test_the_newest_revision_is_alembics() -> None:
    """The newest revision by the names of the files is that of Alembic."""
    directory = Path(migrations.__file__).parent
    assert newest() == ScriptDirectory(directory).get_current_head()


def test_empty_database_becomes_current(new: Database) -> None:
    """An empty database is not current; migrated, it is, with every table and the counter of references."""
    assert not is_ready(new)
    migrate(new)
    assert is_ready(new)
    assert tables(new) == {*metadata.tables, "alembic_version"}
    assert rows(new, counter) == [{"name": "customer", "next": 1}]


def test_a_new_database_has_no_account(new: Database) -> None:
    """No migration makes a customer, a session or a token: there is no default account."""
    migrate(new)
    assert counts(new) == {}


def test_migrating_again_changes_nothing(database: Database) -> None:
    """Migrating a current database changes nothing, as at every start of an embedded installation."""
    migrate(database)
    assert is_ready(database)
    assert counts(database) == {}


def test_tables_are_what_the_migrations_made(database: Database) -> None:
    """Alembic finds no difference between migrated and declared tables."""

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))

    assert database.read(differences) == []


def migrate_to(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))

    def upgrade(connection: Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    database.write(upgrade)


def full_row(table: Table) -> dict[str, object]:
    """A row with a value in each column."""
    values: dict[type, object] = {str: "en", int: 7, UUID: uuid4(), date: NOW.date(), bytes: b"\0"}

    def value(kind: TypeEngine[Any]) -> object:
        match kind:
            case Instant():
                return NOW
            case Choice():
                return next(iter(kind.choices))
            case _:
                return values[kind.python_type]

    return {column.key: value(column.type) for column in table.columns}


def test_rows_stay_when_keys_change(new: Database) -> None:
    """Revision 0013 keeps each row of each table, and 0.2.0 can insert with its conflict targets afterwards."""
    migrate_to(new, "0012")
    filled = [
        table for table in metadata.sorted_tables if table.name not in {"counter", "installation", "operator_token"}
    ]
    before = {table: without_later(full_row(table)) for table in filled}
    new.write(lambda connection: [connection.execute(insert(table), row) for table, row in before.items()])
    migrate(new)
    after = {table: [without_later(row) for row in rows(new, table)] for table in filled}
    assert after == {table: [row] for table, row in before.items()}
    for table, key in ((session, session.c.id), (refresh_token, refresh_token.c.digest)):
        dialect: Any = sqlite if new.dialect == "sqlite" else postgresql
        again = dialect.insert(table).on_conflict_do_nothing(index_elements=[key])
        new.write(partial(Connection.execute, statement=again, parameters=before[table]))
        assert len(rows(new, table)) == 1


def test_requests_of_strangers_name_no_customer(new: Database) -> None:
    """Revision 0015 takes made-up customers out of the audit trail, and leaves the others in it."""
    migrate_to(new, "0014")
    customer_row, row = full_row(customer), full_row(audit)
    named = [("reset request", uuid4()), ("reset request", customer_row["id"]), ("sign-up", uuid4())]
    entries = [row | {"id": uuid4(), "kind": kind, "customer_id": customer_id} for kind, customer_id in named]
    new.write(lambda connection: connection.execute(insert(customer), customer_row))
    new.write(lambda connection: connection.execute(insert(audit), entries))
    migrate(new)
    found = {each["id"]: each["customer_id"] for each in rows(new, audit)}
    assert [found[each["id"]] for each in entries] == [None, *(customer_id for _, customer_id in named[1:])]


def without_later(row: dict[str, Any]) -> dict[str, Any]:
    """Without the columns of later revisions."""
    return {column: value for column, value in row.items() if column != "traceparent"}


def test_failed_migration_leaves_nothing(new: Database) -> None:
    """A migration that fails half-way, here at a foreign index, makes no table; once that is gone, it makes all."""
    new.write(lambda connection: connection.exec_driver_sql("CREATE TABLE letter (id integer)"))
    new.write(lambda connection: connection.exec_driver_sql("CREATE INDEX ix_mail_due ON letter (id)"))
    with pytest.raises(Unavailable):
        migrate(new)
    assert tables(new) == {"letter"}
    new.write(lambda connection: connection.exec_driver_sql("DROP TABLE letter"))
    migrate(new)
    assert is_ready(new)


@pytest.mark.parametrize(
    ("found", "oldest", "usable"),
    [
        ("0008", "0005", True),
        ("0008", "0006", True),
        ("0008", "0007", False),
        ("0006", "0007", True),
        ("0005", "0005", False),
        ("later", "0005", False),
        ("", "0005", False),
    ],
)
def test_a_newer_schema_may_have_room_for_this_program(
    database: Database, found: str, oldest: str, usable: bool
) -> None:
    """A program of revision 0006 works at its own and at newer ones that say so, and at no older or unknown one."""

    def look(connection: Connection) -> bool:
        connection.execute(text("UPDATE alembic_version SET version_num = :found"), {"found": found})
        connection.execute(text("UPDATE installation SET oldest_revision = :oldest"), {"oldest": oldest})
        return is_usable(connection, "0006")

    assert database.write(look) is usable


def test_another_revision_is_left_alone(database: Database) -> None:
    """A database at an unknown revision is not migrated, and the error names the revision."""
    database.write(lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'later'"))
    with pytest.raises(UnknownRevisionError, match="the database is at revision later, which this version does not"):
        migrate(database)


@pytest.mark.long
def test_processes_that_migrate_at_once_make_one_schema(empty: str) -> None:
    """Of processes that migrate at once at least one succeeds, and the schema is made once."""

    environment = {"GATEWAY_DATABASE_URL": empty, "PATH": os.defpath}
    processes = [subprocess.Popen([COMMAND, "migrate"], env=environment, stderr=subprocess.DEVNULL) for _ in range(3)]
    assert 0 in [process.wait(PATIENCE) for process in processes]
    database = open_database(empty)
    assert is_ready(database)
    assert rows(database, counter) == [{"name": "customer", "next": 1}]
    database.close()


@pytest.mark.parametrize("empty", ["postgresql"], indirect=True)
def test_migrations_ignore_the_time_limits(empty: str) -> None:
    """A migration waits ten times as long for a lock as the limit for requests allows."""
    with_short_wait = open_database(empty, wait=0.05)
    with ThreadPoolExecutor(1) as threads, psycopg.connect(empty) as other:
        other.execute("CREATE TABLE mail (id integer)")
        migrating = threads.submit(migrate, with_short_wait)
        eventually(lambda: other.execute(WAITING).fetchall())
        other.execute("SELECT pg_sleep(0.5)")
        other.rollback()
        assert migrating.result() is None
    assert is_ready(with_short_wait)
    with_short_wait.close()

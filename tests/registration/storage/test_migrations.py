"""Migrations: an empty database becomes what the tables say, on every engine, in one step or not at all."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from harness.gateway import COMMAND
from harness.postgres import create_database, drop_database
from registration.storage import migrations
from registration.storage.database import Database, Unavailable, open_database
from registration.storage.migrations import UnknownRevisionError, migrate
from registration.storage.revision import is_current, newest
from registration.storage.tables import counter, metadata
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
    return database.read(lambda connection: is_current(connection, newest()))


def test_the_newest_revision_is_alembics() -> None:
    """Which is told by the names of the files, without asking it."""
    directory = Path(migrations.__file__).parent
    assert newest() == ScriptDirectory(directory).get_current_head()


def test_empty_database_becomes_current(new: Database) -> None:
    """Before, it is not; after, it has every table and the counter of references."""
    assert not is_ready(new)
    migrate(new)
    assert is_ready(new)
    assert tables(new) == {*metadata.tables, "alembic_version"}
    assert rows(new, counter) == [{"name": "customer", "next": 1}]


def test_migrating_again_changes_nothing(database: Database) -> None:
    """Every start of an embedded installation does it."""
    migrate(database)
    assert is_ready(database)
    assert counts(database) == {}


def test_tables_are_what_the_migrations_made(database: Database) -> None:
    """Alembic finds no difference, in columns, types, nullability, keys or indexes."""

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))

    assert database.read(differences) == []


def test_failed_migration_leaves_nothing(new: Database) -> None:
    """Somebody's table is in the way: none of ours is made, and once it is gone all of them are."""
    new.write(lambda connection: connection.exec_driver_sql("CREATE TABLE mail (id integer)"))
    with pytest.raises((DBAPIError, Unavailable)):
        migrate(new)
    assert tables(new) == {"mail"}
    new.write(lambda connection: connection.exec_driver_sql("DROP TABLE mail"))
    migrate(new)
    assert is_ready(new)


def test_another_revision_is_not_current(database: Database) -> None:
    """As that of a newer version of the program, which this one must not serve."""
    database.write(lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'later'"))
    assert not is_ready(database)


def test_another_revision_is_left_alone(database: Database) -> None:
    """An older version of the program does not know the way from there."""
    database.write(lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'later'"))
    with pytest.raises(UnknownRevisionError, match="the database is at revision later, which this version does not"):
        migrate(database)


def test_processes_that_migrate_at_once_make_one_schema(empty: str) -> None:
    """Whoever comes second finds the work done, or fails and leaves nothing of its own."""

    environment = {"GATEWAY_DATABASE_URL": empty, "PATH": os.defpath}
    processes = [subprocess.Popen([COMMAND, "migrate"], env=environment, stderr=subprocess.DEVNULL) for _ in range(3)]
    assert 0 in [process.wait(PATIENCE) for process in processes]
    database = open_database(empty)
    assert is_ready(database)
    assert rows(database, counter) == [{"name": "customer", "next": 1}]
    database.close()


@pytest.mark.parametrize("empty", ["postgresql"], indirect=True)
def test_migrations_may_take_their_time(empty: str) -> None:
    """The limits of a session are for requests: a migration waits ten times as long for a lock."""
    impatient = open_database(empty, wait=0.05)
    with ThreadPoolExecutor(1) as threads, psycopg.connect(empty) as other:
        other.execute("CREATE TABLE mail (id integer)")
        migrating = threads.submit(migrate, impatient)
        eventually(lambda: other.execute(WAITING).fetchall())
        other.execute("SELECT pg_sleep(0.5)")
        other.rollback()
        assert migrating.result() is None
    assert is_ready(impatient)
    impatient.close()

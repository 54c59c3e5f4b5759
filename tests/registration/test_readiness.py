"""A node is ready when a sign-up could be written now, and says why not otherwise."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Connection, event, make_url

from harness.disk import SmallDisk
from harness.postgres import PostgresServer, drop_database
from registration.keys.agreement import NodeKeys
from registration.readiness import NotReady, obstacle
from registration.storage.database import Database, open_database
from registration.storage.deadline import within
from registration.storage.migrations import migrate
from tests.registration.stored import counts

KEYS = NodeKeys(("fingerprint",), ("1-00000000000000aa",))


def status(database: Database) -> str:
    found = obstacle(database, KEYS)
    return found.status if found else "ready"


@pytest.fixture(params=["sqlite", "postgresql"])
def on_disk(request: pytest.FixtureRequest, disk: SmallDisk) -> Iterator[Database]:
    """A migrated database on a small disk."""
    if request.param == "sqlite":
        with closing(open_database(f"sqlite:///{disk.path}/registration.db")) as database:
            migrate(database)
            yield database
        return
    server, name = request.getfixturevalue("postgres_url"), f"disk_{uuid4().hex}"
    directory = disk.path / "space"
    directory.mkdir()
    if os.geteuid() == 0:
        shutil.chown(directory, "nobody", "nogroup")
    execute(server, f"CREATE TABLESPACE {name} LOCATION '{directory}'")
    execute(server, f"CREATE DATABASE {name} TABLESPACE {name}")
    with closing(open_database(f"{server.rpartition('/')[0]}/{name}")) as database:
        migrate(database)
        yield database
    drop_database(server, name)
    execute(server, f"DROP TABLESPACE {name}")


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_a_migrated_database_is_ready(database: Database) -> None:
    """A database that takes a write is ready, and looking leaves nothing in it."""
    assert obstacle(database, KEYS) is None
    assert counts(database) == {}


def test_an_old_schema_is_not(database: Database) -> None:
    """A database without the newest migration is not ready, and an operator is told what to run."""
    execute_in(database, "UPDATE alembic_version SET version_num = '0004'")
    reason = "the database is not at this version; run: registration-gateway migrate"
    assert obstacle(database, KEYS) == NotReady("migrations missing", reason, is_lasting=True)


def test_a_newer_schema_that_has_room_is(database: Database) -> None:
    """A node stays ready while a newer version adds to the schema, until the schema needs that version."""
    execute_in(database, "UPDATE alembic_version SET version_num = '9999'")
    assert status(database) == "ready"
    execute_in(database, "UPDATE installation SET oldest_revision = '9999'")
    reason = "the database is of a later version; upgrade this node"
    assert obstacle(database, KEYS) == NotReady("version too old", reason, is_lasting=True)


def test_a_node_with_other_keys_is_not(database: Database) -> None:
    """The first node that is ready decides about the keys; one that differs is not ready, and says so."""
    other = NodeKeys(("another",), KEYS.signing_keys)
    assert status(database) == "ready"
    found = obstacle(database, other)
    assert found
    assert found.status == "keys differ"
    assert found.reason.startswith("secret.key is not that of the other nodes; ")
    assert status(database) == "ready"


def execute_in(database: Database, statement: str) -> None:
    database.write(lambda connection: connection.exec_driver_sql(statement))


def test_a_full_disk_is_not(on_disk: Database, disk: SmallDisk) -> None:
    """A database without room is not ready until there is room again."""
    assert status(on_disk) == "ready"
    with disk.full():
        assert status(on_disk) == "disk full"
    assert status(on_disk) == "ready"


def test_a_disk_without_room_for_a_sign_up_is_not(disk: SmallDisk) -> None:
    """An SQLite file whose disk has room for some pages, and not for a sign-up, is not ready."""
    with closing(open_database(f"sqlite:///{disk.path}/registration.db")) as database:
        migrate(database)
        assert status(database) == "ready"
        with disk.full(but_for=96 * 1024):
            assert status(database) == "disk full"


def test_a_read_only_file_is_not(sqlite_url: str) -> None:
    """An SQLite file that can be read only is not ready."""
    with closing(open_database(sqlite_url)) as database:

        @event.listens_for(database.engine, "connect")
        def _forbid(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute("PRAGMA query_only = ON").close()

        assert status(database) == "database read-only"


def test_a_file_on_a_read_only_disk_is_not(disk: SmallDisk) -> None:
    """An SQLite file on a disk that became read-only is not ready: SQLite cannot open the log beside it."""
    with closing(open_database(f"sqlite:///{disk.path}/registration.db")) as database:
        migrate(database)
        database.close()  # a disk with open files does not become read-only
        with disk.read_only():
            assert status(database) == "database unreachable"
            database.close()
        assert status(database) == "ready"


@pytest.mark.parametrize("what", ["DATABASE", "ROLE"])
def test_a_read_only_database_is_not(postgresql_url: str, role: str, url_of_role: str, what: str) -> None:
    """A PostgreSQL whose sessions begin as read-only, as in maintenance, is not ready until that ends."""
    name = make_url(postgresql_url).database if what == "DATABASE" else role
    found = []
    for state in ("on", "off"):
        with psycopg.connect(postgresql_url, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only TO off")
            connection.execute(f"ALTER {what} {name} SET default_transaction_read_only TO {state}".encode())
        with closing(open_database(url_of_role)) as database:
            found.append(status(database))
    assert found == ["database read-only", "ready"]


def test_a_database_is_ready_again_when_it_may_be_written_again(
    postgresql_url: str, role: str, url_of_role: str
) -> None:
    """A node whose sessions began while the role was read-only looks with new ones, so that the end is noticed."""
    with closing(open_database(url_of_role)) as database:
        found = []
        for state in ("on", "off"):
            execute(postgresql_url, f"ALTER ROLE {role} SET default_transaction_read_only TO {state}")
            found += [status(database) for _ in range(2)]
    assert found == ["database read-only", "database read-only", "ready", "ready"]


@pytest.mark.parametrize("statement", ["REVOKE UPDATE ON mail FROM CURRENT_USER", "DROP TABLE mail"])
def test_a_table_that_cannot_be_used_is_not(postgresql_url: str, role: str, url_of_role: str, statement: str) -> None:
    """A database in which the role may not write to one table, or that lacks it, is not ready."""
    with closing(open_database(url_of_role)) as database:
        assert status(database) == "ready"
        execute(postgresql_url, statement.replace("CURRENT_USER", role))
        found = obstacle(database, KEYS)
    reason = "the role of GATEWAY_DATABASE_URL may not read and write these tables: mail"
    assert found == NotReady("database permissions missing", reason, is_lasting=True)


def test_a_locked_database_is_not(database: Database, database_url: str) -> None:
    """A database whose lock another process holds is not ready."""
    lock = "SELECT 1" if database.dialect == "sqlite" else "LOCK TABLE probe"
    with closing(open_database(database_url, wait=0.1)) as other:

        def locked(connection: Connection) -> str:
            connection.exec_driver_sql(lock)
            return status(other)

        assert database.write(locked) == "database locked"


def test_a_frozen_server_is_not() -> None:
    """A server that does not answer is given up at the deadline; afterwards the database is ready."""
    with PostgresServer() as server, closing(open_database(server.url())) as database:
        migrate(database)
        assert status(database) == "ready"
        with server.frozen(), within(0.5):
            assert status(database) == "database unreachable"
        assert status(database) == "ready"


def test_a_probe_after_the_deadline_does_not_begin(database: Database) -> None:
    """With a deadline that has passed nothing is tried."""
    with within(-1):
        assert status(database) == "database too slow"

"""A connection that PostgreSQL refuses is explained in one line, with what to do and without the password."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Connection

from harness.postgres import PostgresServer
from registration.storage.database import Database, Misconfigured, Unavailable, open_database
from registration.storage.migrations import UnknownRevisionError, migrate

RULES = """
host all guarded 127.0.0.1/32 scram-sha-256
host all unwanted 127.0.0.1/32 reject
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that asks one role for its password, and refuses another."""
    with PostgresServer() as server, psycopg.connect(server.url(), autocommit=True) as connection:
        for statement in (
            "CREATE ROLE guarded LOGIN PASSWORD 'correct-horse'",
            "CREATE ROLE group_role",
            "CREATE ROLE crowded LOGIN CONNECTION LIMIT 0",
            "CREATE ROLE poor LOGIN",
        ):
            connection.execute(statement.encode())
        row = connection.execute("SHOW hba_file").fetchone()
        assert row
        file = Path(row[0])
        file.write_text(RULES + file.read_text("utf-8"), "utf-8")
        server.restart()
        yield server


def failure(url: str) -> Unavailable:
    with closing(open_database(url, wait=2)) as database, pytest.raises(Unavailable) as caught:
        database.read(lambda connection: connection.exec_driver_sql("SELECT 1"))
    return caught.value


@pytest.mark.parametrize(
    ("change", "cause", "advice"),
    [
        (("postgres@", "guarded:wrong-horse@"), 'password authentication failed for user "guarded"', "check user and"),
        (("postgres@", "guarded:password@"), '*** authentication failed for user "guarded"', "check user and password"),
        (("postgres@", "guarded@"), "fe_sendauth: no password supplied", "add the password: postgresql://user:"),
        (("DATABASE", "none"), 'database "none" does not exist', "create it, with ENCODING 'UTF8', or check the"),
        (("postgres@", "none@"), 'role "none" does not exist', "create the role, with LOGIN, or check the user"),
        (("postgres@", "group_role@"), 'role "group_role" is not permitted to log in', "create the role, with LOGIN"),
        (("postgres@", "unwanted@"), "pg_hba.conf rejects connection", "allow the connection in pg_hba.conf"),
        (("DATABASE", "postgres?sslmode=require"), "server does not support SSL, but SSL was", "turn TLS on in the"),
        (("DATABASE", "postgres?sslmode=often"), 'invalid sslmode value: "often"', "correct the value"),
        (("DATABASE", "postgres?pgbouncer=true"), 'invalid connection option "pgbouncer"', "leave it out; a pooler"),
        (("DATABASE", "postgres?connect_timeout=no"), "bad value for connect_timeout: 'no'", ""),
    ],
)
def test_what_an_operator_must_mend(server: PostgresServer, change: tuple[str, str], cause: str, advice: str) -> None:
    """Each mistake in the address or the server is named with its cause and what to do."""
    found = failure(server.url("DATABASE").replace(*change).replace("DATABASE", "postgres"))
    text, _, then = str(found).partition("; ")
    assert isinstance(found, Misconfigured)
    assert cause in text
    assert then.startswith(advice)
    assert "\n" not in str(found)
    assert "-horse" not in str(found)


@pytest.mark.parametrize(
    ("change", "cause", "advice"),
    [
        (("127.0.0.1", "no.invalid"), "failed to resolve host 'no.invalid'", "check the host, or wait for its name"),
        (("127.0.0.1", "127.0.0.2"), "Connection refused", "start the server, or check host and port"),
        (
            ("DATABASE", "postgres?host=/no/directory"),
            "No such file or directory",
            "start the server, or check host and port",
        ),
        (("postgres@", "crowded@"), 'too many connections for role "crowded"', "raise max_connections of the server"),
    ],
)
def test_what_may_pass(server: PostgresServer, change: tuple[str, str], cause: str, advice: str) -> None:
    """A server that is not there yet is waited for, and its absence explained."""
    found = failure(server.url("DATABASE").replace(*change).replace("DATABASE", "postgres"))
    text, _, then = str(found).partition("; ")
    assert not isinstance(found, Misconfigured)
    assert cause in text
    assert then.startswith(advice)
    assert "\n" not in str(found)


def test_a_cause_without_advice(server: PostgresServer) -> None:
    """A cause that we know no advice for is quoted as it is."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE closed ALLOW_CONNECTIONS false")
    found = failure(server.url("closed"))
    assert type(found) is Unavailable
    assert str(found).endswith('database "closed" is not currently accepting connections')


@pytest.fixture
def empty(server: PostgresServer) -> str:
    """The URL of a database of its own without a table."""
    name = f"empty_{uuid4().hex}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.url(name)


def test_a_role_that_may_not_create_tables(empty: str) -> None:
    """A migration as a role without CREATE is told which schema it is about."""
    with (
        closing(open_database(empty.replace("postgres@", "poor@"))) as database,
        pytest.raises(Misconfigured, match=r"^permission denied for schema public; grant the role of "),
    ):
        migrate(database)


def test_a_schema_that_is_not_there(empty: str) -> None:
    """A migration into a schema that was not created says so."""
    with (
        closing(open_database(f"{empty}?options=-csearch_path%3Dshop")) as database,
        pytest.raises(Misconfigured, match=r"^no schema has been selected to create in; create the schema "),
    ):
        migrate(database)


def execute(database: Database, statement: str) -> None:
    def work(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    database.write(work)


def test_a_table_that_a_later_migration_makes(empty: str) -> None:
    """A table of another application in the way of a later migration is named."""
    with closing(open_database(empty)) as database:
        migrate(database)
        for statement in ("DROP TABLE installation", "UPDATE alembic_version SET version_num = '0005'"):
            execute(database, statement)
        with pytest.raises(Misconfigured, match=r'^relation "probe" already exists; it is of another application: use'):
            migrate(database)


def test_a_type_of_another_application(empty: str) -> None:
    """A type that has the name of a table of ours is named, too."""
    with closing(open_database(empty)) as database:
        execute(database, "CREATE TYPE customer AS ENUM ('new')")
        with pytest.raises(Misconfigured, match=r'^type "customer" already exists; it is of another application: use'):
            migrate(database)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_tables_of_another_application(request: pytest.FixtureRequest, tmp_path: Path, engine: str) -> None:
    """A database with a table of our name that no migration made is left alone, and the table named."""
    url = f"sqlite:///{tmp_path}/shop.db" if engine == "sqlite" else request.getfixturevalue("empty")
    with closing(open_database(url)) as database:
        execute(database, "CREATE TABLE customer (id integer)")
        with pytest.raises(UnknownRevisionError, match=r"^the database has tables of another application: customer; "):
            migrate(database)

"""The database: one way to write and one way to read, on every engine."""

import random
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Executable, Table, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from registration.storage.outages import Locked, Misconfigured, Outage, Unavailable, outage_of, state_of
from registration.storage.sqlite import open_sqlite

__all__ = ["Database", "Locked", "Misconfigured", "Outage", "Unavailable", "insert_new", "open_database", "replace_row"]

Result = TypeVar("Result")
TRIES = 4
LOG_WAIT = 0.25  # seconds
# What an engine asks to retry: serialization failure, deadlock, restart, a node turned read-only; 08 is the network.
RETRYABLE = frozenset({"40001", "40P01", "57P01", "25006"})


class Database:
    """Runs work in transactions; `write` and `read` give it a connection, commit once, and return its result."""

    def __init__(self, writer: Engine, reader: Engine) -> None:
        self._writer = writer
        self._reader = reader

    @property
    def dialect(self) -> str:
        return self._writer.dialect.name

    @property
    def engine(self) -> Engine:
        """The writing engine, for statements outside of the use cases' transactions."""
        return self._writer

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run work in one writing transaction, again on a new connection when the engine asks for that.

        Work may therefore run more than once: it must have no effect outside the database. Raises Unavailable.
        """
        return _run(self._writer, work)

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run work that only reads. Raises Unavailable."""
        return _run(self._reader, work)

    def empty_log(self) -> None:
        """Write SQLite's log into its file and truncate the log, unless a reader prevents that.

        Does nothing on other engines.
        """
        if self.dialect == "sqlite":
            # A connection of its own, because a checkpoint that waits for a reader keeps all writers waiting.
            path = str(self._writer.url.database)
            with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=LOG_WAIT)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()

    def close(self) -> None:
        self._reader.dispose()
        self._writer.dispose()


def open_database(url: str, *, readers: int = 8, wait: float = 5.0) -> Database:
    """Open without connecting; `wait` is how many seconds to wait for a lock, a connection or the server.

    Raises Unavailable when the directory of an SQLite file cannot be made, Misconfigured when the URL cannot be used.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return Database(*open_sqlite(parsed, readers, wait))
    from registration.storage.postgresql import open_postgresql  # noqa: PLC0415 - a tenth of a start with SQLite

    engine = open_postgresql(parsed, readers, wait)
    return Database(engine, engine)


def wait_for_ever(connection: Connection) -> None:
    """Switch time limits off for the rest of the transaction: they are for requests, not for migrations.

    BoundedConnection's own limit stays off on this connection.
    """
    if connection.dialect.name == "postgresql":
        for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {limit} = 0")
        driver: Any = connection.connection.dbapi_connection
        driver.bound = None


def wait_briefly(connection: Connection, seconds: float) -> None:
    """Wait for locks at most this long, for the rest of the transaction.

    Does nothing on SQLite, whose one lock is held from the start of the transaction.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(seconds * 1000)}")


def insert_new(connection: Connection, table: Table, row: Mapping[str, object]) -> bool:
    """Insert unless the primary key is there already; False then. Waits for the transaction that holds the key.

    The database decides uniqueness; unlike an integrity error this does not end the transaction.
    """
    return connection.execute(_insert_new(table, connection.dialect.name), dict(row)).rowcount == 1


@cache
def _insert_new(table: Table, dialect: str) -> Executable:
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    statement = insert(table).on_conflict_do_nothing(table.primary_key)
    # Without this option SQLAlchemy loses the count of an INSERT when it closes the cursor.
    return statement.execution_options(preserve_rowcount=True)


def replace_row(connection: Connection, table: Table, row: Mapping[str, object]) -> None:
    """Insert, or overwrite the row that has the same primary key."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=table.primary_key, set_=row))


def _run(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    for turn in range(1, TRIES + 1):
        try:
            with engine.begin() as connection:
                return work(connection)
        except PoolTimeout as error:
            raise Unavailable("no database connection became free", Outage.LATE) from error
        except DBAPIError as error:
            if turn < TRIES and _is_retryable(error):
                time.sleep(random.uniform(0, 0.02 * 2**turn))  # noqa: S311 - jitter, not a secret
            elif isinstance(error, IntegrityError | DataError | ProgrammingError):
                raise  # a bug: a constraint is broken, or a statement is wrong
            else:
                raise outage_of(error) from error
    raise AssertionError("unreachable")  # pragma: no cover - the last turn returns or raises


def _is_retryable(error: DBAPIError) -> bool:
    state = state_of(error)
    return error.connection_invalidated or state in RETRYABLE or state.startswith("08")

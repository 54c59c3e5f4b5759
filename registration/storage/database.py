"""The database: one way to write and one way to read, on every engine."""

import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from copy import copy
from functools import cache
from math import inf
from threading import Semaphore
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Executable, Table
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from registration import metrics
from registration.storage.address import address_of
from registration.storage.connection_needs import NO_LIMITS
from registration.storage.deadline import remaining
from registration.storage.inserts import conflict_insert
from registration.storage.outages import (
    MENDED_BY_OPERATOR,
    Locked,
    Misconfigured,
    Outage,
    Unavailable,
    outage_of,
    state_of,
    too_late,
)
from registration.storage.sqlite import open_sqlite
from registration.tracing import traces

__all__ = [
    "Database",
    "Locked",
    "Misconfigured",
    "Outage",
    "Unavailable",
    "insert_new",
    "insert_new_rows",
    "open_database",
    "replace_row",
]

Result = TypeVar("Result")
LOG_WAIT = 0.25  # seconds
# What an engine asks to retry: restart, a node turned read-only; 08 is the network.
OUTAGES = frozenset({"57P01", "25006"})
# Serialization failure and deadlock: an engine that makes every transaction serialisable has many of them.
CONTENTION = frozenset({"40001", "40P01"})
TRIES, TRIES_IN_CONTENTION = 4, 10


class Connections:
    """An engine whose connections are waited for until the deadline of the request, at most `wait` seconds."""

    def __init__(self, engine: Engine, number: int, wait: float) -> None:
        self.engine = engine
        self._free = Semaphore(number)
        self._wait = wait
        self._number = number
        metrics.DATABASE_CONNECTIONS.inc(number)

    def close(self) -> None:
        metrics.DATABASE_CONNECTIONS.dec(self._number)
        self.engine.dispose()

    def with_engine(self, engine: Engine) -> "Connections":
        """The same connections, used through an engine that has other options and the same pool."""
        same = copy(self)
        same.engine = engine
        return same

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Raises Unavailable when no connection became free in time."""
        left = remaining()
        if left <= 0:
            raise too_late()
        if not self._free.acquire(timeout=min(self._wait, left)):
            raise Unavailable("no database connection became free", Outage.LATE)
        try:
            with metrics.DATABASE_CONNECTIONS_BUSY.track_inprogress(), self.engine.begin() as connection:
                yield connection
        finally:
            self._free.release()


class Database:
    """Runs work in transactions; `write` and `read` give it a connection, commit once, and return its result."""

    def __init__(self, writers: Connections, readers: Connections) -> None:
        self._writers = writers
        self._readers = readers

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    @property
    def engine(self) -> Engine:
        """The writing engine, for statements outside of the use cases' transactions."""
        return self._writers.engine

    def write(self, work: Callable[[Connection], Result], *, knows_its_rows: bool = False) -> Result:
        """Run work in one writing transaction, again on a new connection when the engine asks for that.

        Work may therefore run more than once: it must have no effect outside the database. Raises Unavailable, also
        when the answer to the commit is lost: what was written may then be stored. Work that `knows_its_rows` runs
        again in that case, because it finds those of its first run and returns the same.
        """
        return _run(self._writers, work, knows_its_rows=knows_its_rows)

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run work that only reads: all its statements see one state of the database. Raises Unavailable."""
        return _run(self._readers, work, knows_its_rows=True)

    def empty_log(self) -> None:
        """Write SQLite's log into its file and truncate the log, unless a reader prevents that.

        Does nothing on other engines.
        """
        if self.dialect == "sqlite":
            # A connection of its own, because a checkpoint that waits for a reader keeps all writers waiting.
            path = str(self.engine.url.database)
            with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=LOG_WAIT)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()

    def close(self) -> None:
        for each in {each.engine.pool: each for each in (self._readers, self._writers)}.values():  # one on PostgreSQL
            each.close()


def open_database(url: str, *, readers: int = 8, wait: float = 5.0) -> Database:
    """Open without connecting; `wait` is how many seconds to wait for a lock, a connection or the server.

    Raises Unavailable when the directory of an SQLite file cannot be made, Misconfigured when the URL cannot be used.
    """
    parsed = address_of(url)
    if parsed.get_backend_name() == "sqlite":
        writer, reader = open_sqlite(parsed, readers, wait)
        return Database(Connections(writer, 1, wait), Connections(reader, readers, wait))
    from registration.storage.postgresql import open_postgresql  # noqa: PLC0415 - a tenth of a start with SQLite

    writer, reader = open_postgresql(parsed, readers, wait)
    connections = Connections(writer, 2 * readers, wait)
    return Database(connections, connections.with_engine(reader))


def wait_for_ever(connection: Connection) -> None:
    """Switch time limits off for the rest of the transaction: they are for requests, not for migrations.

    BoundedConnection's own limit stays off on this connection.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(NO_LIMITS)
        driver: Any = connection.connection.dbapi_connection
        driver.bound = inf


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


def insert_new_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """As `insert_new`, for any number of rows."""
    if rows:
        connection.execute(_insert_new(table, connection.dialect.name), list(map(dict, rows)))


@cache
def _insert_new(table: Table, dialect: str) -> Executable:
    statement = conflict_insert(table, dialect).on_conflict_do_nothing(table.primary_key)
    # Without this option SQLAlchemy loses the count of an INSERT when it closes the cursor.
    return statement.execution_options(preserve_rowcount=True)


def unless_stored(
    work: Callable[[Connection], Result], is_stored: Callable[[Connection, Result], bool]
) -> Callable[[Connection], Result]:
    """Work that knows its rows: a second run returns the result of the first if `is_stored` finds that in the database.

    So it repeats no effect, such as a count. A first run costs no further statement.
    """
    results: list[Result] = []

    def run(connection: Connection) -> Result:
        for result in results:
            if is_stored(connection, result):
                return result
        results.append(work(connection))
        return results[-1]

    return run


def replace_row(connection: Connection, table: Table, row: Mapping[str, object]) -> None:
    """Insert, or overwrite the row that has the same primary key."""
    statement = conflict_insert(table, connection.dialect.name).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=table.primary_key, set_=row))


def _run(connections: Connections, work: Callable[[Connection], Result], *, knows_its_rows: bool) -> Result:
    turn = 0
    while True:
        turn += 1
        may_be_stored = False
        try:
            with traces.span("transaction"), connections.transaction() as connection:
                result = work(connection)
                may_be_stored = not knows_its_rows
            return result
        except DBAPIError as error:
            if turn < _most_tries(error, may_be_stored=may_be_stored) and remaining() > 0:
                time.sleep(random.uniform(0, 0.02 * 2 ** min(turn, 4)))  # noqa: S311 - jitter, not a secret
            elif _is_bug(error):
                raise
            else:
                raise outage_of(error) from error


def _is_bug(error: DBAPIError) -> bool:
    """Whether a constraint is broken, or a statement is wrong: for a log with a trace, not for an operator."""
    is_ours = isinstance(error, IntegrityError | DataError | ProgrammingError)
    return is_ours and state_of(error) not in MENDED_BY_OPERATOR


def _most_tries(error: DBAPIError, *, may_be_stored: bool) -> int:
    """How many times work may run that fails with this error; once if its own rows could make a second run fail."""
    state = state_of(error)
    if state in CONTENTION:  # which is told before anything is stored
        return TRIES_IN_CONTENTION
    if may_be_stored:
        return 1
    return TRIES if error.connection_invalidated or state in OUTAGES or state.startswith("08") else 1

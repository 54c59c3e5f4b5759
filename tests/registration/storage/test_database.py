"""Transactions on real engines: whole or not at all, run again when the engine asks, Unavailable in an outage."""

import os
import socket
import sqlite3
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier, Event
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Connection, insert, make_url, select, text, update
from sqlalchemy.exc import IntegrityError, ProgrammingError

from harness.lossy_connection import Proxy
from harness.postgres import PostgresServer
from registration.storage.database import Database, Locked, Unavailable, insert_new, open_database
from registration.storage.migrations import migrate
from registration.storage.tables import counter, email_claim
from tests.registration.stored import counts, rows
from tests.waiting import PATIENCE, wait_for


def claim(connection: Connection, address: str = "ada@example.org") -> bool:
    return insert_new(connection, email_claim, {"address": address, "customer_id": uuid4()})


def add_one(connection: Connection) -> None:
    connection.execute(update(counter).values(next=counter.c.next + 1))


def number(database: Database) -> int:
    (row,) = rows(database, counter)
    return int(row["next"])


@pytest.fixture
def with_short_wait(database_url: str) -> Iterator[Database]:
    """The same database, opened with a wait of a tenth of a second."""
    database = open_database(database_url, wait=0.1)
    yield database
    database.close()


class TestTransactions:
    def test_result_comes_back_after_the_commit(self, database: Database) -> None:
        """The result of work comes back when its rows are committed."""
        assert database.write(claim) is True
        assert counts(database) == {"email_claim": 1}

    def test_an_exception_takes_everything_back(self, database: Database) -> None:
        """An exception is raised as it is and takes every write back; the next work runs."""

        def work(connection: Connection) -> None:
            claim(connection)
            raise KeyError("a bug")

        with pytest.raises(KeyError, match="a bug"):
            database.write(work)
        assert counts(database) == {}
        assert database.write(claim)

    def test_writers_at_once_lose_nothing(self, database: Database) -> None:
        """A hundred writes, ten at once, wait for each other, and none is lost."""
        with ThreadPoolExecutor(10) as threads:
            list(threads.map(lambda _: database.write(add_one), range(100)))
        assert number(database) == 101

    def test_readers_do_not_wait_for_a_writer(self, database: Database) -> None:
        """A read during a write sees what was committed before."""

        def work(connection: Connection) -> int:
            claim(connection)
            return len(rows(database, email_claim))

        assert database.write(work) == 0

    def test_a_read_sees_one_state(self, database: Database) -> None:
        """All statements of a read see the same rows, also those that run after another transaction's commit."""

        def work(connection: Connection) -> list[int]:
            first = len(connection.execute(select(email_claim)).all())
            database.write(claim)
            return [first, len(connection.execute(select(email_claim)).all())]

        assert database.read(work) == [0, 0]
        assert counts(database) == {"email_claim": 1}

    def test_a_read_writes_nothing(self, database: Database) -> None:
        """A write where only reads are expected is refused, and the next write runs."""
        with pytest.raises(Unavailable, match=r"(read-only|the file cannot be written)$"):
            database.read(claim)
        assert counts(database) == {}
        assert database.write(claim)

    def test_a_broken_constraint_is_a_bug(self, database: Database) -> None:
        """A broken constraint raises IntegrityError, without the parameters in its text."""

        def work(connection: Connection) -> None:
            row = {"address": "ada@example.org", "customer_id": None}
            connection.execute(insert(email_claim).values(row))

        with pytest.raises(IntegrityError, match="hidden") as raised:
            database.write(work)
        assert "parameters hidden" in str(raised.value)


class TestInsertNew:
    def test_tells_whether_the_key_was_new(self, database: Database) -> None:
        """`insert_new` returns whether the key was new, and the transaction goes on if it was not."""
        assert database.write(lambda connection: [claim(connection), claim(connection), claim(connection, "b")]) == [
            True,
            False,
            True,
        ]

    @pytest.mark.parametrize("is_committed", [True, False])
    def test_waits_for_the_transaction_that_holds_the_key(
        self, database: Database, database_url: str, *, is_committed: bool
    ) -> None:
        """`insert_new` waits for a transaction with the same key: taken if that commits, new if not."""
        other = open_database(database_url)
        has_claimed, may_end = Event(), Event()

        def hold(connection: Connection) -> None:
            claim(connection)
            has_claimed.set()
            wait_for(may_end)
            if not is_committed:
                raise InterruptedError

        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(other.write, hold)
            wait_for(has_claimed)
            second = threads.submit(database.write, claim)
            may_end.set()
            assert second.result() is not is_committed
            assert isinstance(first.exception(), InterruptedError) is not is_committed
        other.close()
        assert counts(database) == {"email_claim": 1}

    def test_looks_at_the_primary_key_only(self, database: Database) -> None:
        """`insert_new` raises IntegrityError for a duplicate in a unique column that is not the primary key."""
        with database.engine.begin() as connection:
            connection.exec_driver_sql("CREATE UNIQUE INDEX one_claim ON email_claim (customer_id)")
        row = {"customer_id": uuid4()}
        assert database.write(lambda connection: insert_new(connection, email_claim, row | {"address": "a"}))
        with pytest.raises(IntegrityError):
            database.write(lambda connection: insert_new(connection, email_claim, row | {"address": "b"}))


def write_persistently(database: Database, work: Callable[[Connection], bool]) -> bool:
    """On a busy machine a new connection can take longer than a short wait."""
    while True:
        with suppress(Unavailable):
            return database.write(work)


class TestUnavailable:
    def test_while_all_connections_are_busy(self, with_short_wait: Database) -> None:
        """Work that gets no connection in time raises Unavailable; work that has one goes on."""
        capacity = 1 if with_short_wait.dialect == "sqlite" else 16
        are_busy, may_end = Barrier(capacity + 1, timeout=PATIENCE), Event()

        def hold(connection: Connection) -> bool:
            are_busy.wait()
            wait_for(may_end)
            return claim(connection, str(uuid4()))

        with ThreadPoolExecutor(capacity) as threads:
            busy = [threads.submit(write_persistently, with_short_wait, hold) for _ in range(capacity)]
            are_busy.wait()
            with pytest.raises(Unavailable, match=r"^no database connection became free$"):
                with_short_wait.write(claim)
            may_end.set()
        assert all(future.result() for future in busy)
        assert with_short_wait.write(claim)

    def test_while_another_holds_the_lock(self, database: Database, with_short_wait: Database) -> None:
        """Work that waits too long for a lock raises Unavailable, has written nothing, and succeeds later."""

        def write_both(connection: Connection) -> None:
            claim(connection)
            add_one(connection)

        def lock(connection: Connection) -> None:
            add_one(connection)
            with pytest.raises(Unavailable, match=r"SQLITE_BUSY|holds a lock"):
                with_short_wait.write(write_both)

        database.write(lock)
        assert counts(database) == {}
        with_short_wait.write(add_one)
        assert number(database) == 3


class TestSqlite:
    def test_has_safe_pragmas(self, sqlite_url: str) -> None:
        """Every connection has WAL, synchronous writes and the overwriting of deleted bytes."""
        database = open_database(sqlite_url)
        pragmas = [("journal_mode", "wal"), ("synchronous", 2), ("secure_delete", 1)]
        for run in (database.write, database.read):
            for pragma, value in pragmas:
                assert run(pragma_of(pragma)) == value
        database.close()

    def test_makes_its_directory(self, tmp_path: Path) -> None:
        """Opening an SQLite file makes its directory."""
        database = open_database(f"sqlite:///{tmp_path}/a/b/registration.db")
        migrate(database)
        assert number(database) == 1
        database.close()

    def test_is_for_its_owner_only(self, tmp_path: Path) -> None:
        """The database and the files that SQLite puts beside it are readable by their owner only."""
        database = open_database(f"sqlite:///{tmp_path}/registration.db")
        migrate(database)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        database.close()
        assert len(modes) == 3
        assert set(modes.values()) == {0o600}

    def test_explains_an_impossible_directory(self, tmp_path: Path) -> None:
        """A directory that cannot be made raises Unavailable with one line that names the file."""
        (tmp_path / "file").touch()
        with pytest.raises(Unavailable, match=rf"^{tmp_path}/file/x.db: [^\n]+$"):
            open_database(f"sqlite:///{tmp_path}/file/x.db")

    def test_explains_an_impossible_file(self, tmp_path: Path) -> None:
        """A file that cannot be opened raises Unavailable with the engine's name of the error."""
        (tmp_path / "x.db").mkdir()
        database = open_database(f"sqlite:///{tmp_path}/x.db")
        with pytest.raises(Unavailable, match=r"^database error SQLITE_CANTOPEN\w*: the file cannot be opened$"):
            database.read(lambda connection: None)

    def test_waits_out_a_short_lock(self, sqlite_url: str) -> None:
        """A write waits for another process that writes for a moment."""
        database = open_database(sqlite_url)
        other = sqlite3.connect(make_url(sqlite_url).database or "", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN EXCLUSIVE")
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(database.write, add_one)
            other.execute("COMMIT")
            assert waiting.result() is None
        other.close()
        database.close()

    def test_an_exclusive_lock_is_an_outage_while_it_lasts(self, sqlite_url: str) -> None:
        """While another process holds an exclusive lock, even the first connection raises Unavailable."""
        other = sqlite3.connect(make_url(sqlite_url).database or "", isolation_level=None)
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        database = open_database(sqlite_url, wait=0.05)
        for run in (database.write, database.read):
            with pytest.raises(Unavailable, match="SQLITE_BUSY"):
                run(lambda connection: None)
        other.execute("COMMIT")
        other.close()
        database.write(add_one)
        database.close()


def pragma_of(name: str) -> Callable[[Connection], object]:
    return lambda connection: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


@pytest.fixture
def postgresql(postgresql_url: str) -> Iterator[Database]:
    database = open_database(postgresql_url)
    yield database
    database.close()


def both(work: Callable[[Connection, int, int], None], database: Database) -> int:
    """Run work at once for 0 and for 1, given the number and its turn; the number of turns in all."""
    turns = [0, 0]

    def run(own: int) -> None:
        def counted(connection: Connection) -> None:
            turns[own] += 1
            work(connection, own, turns[own])

        database.write(counted)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(run, range(2)))
    return sum(turns)


class TestPostgresql:
    def test_runs_again_after_a_serialization_failure(self, postgresql: Database) -> None:
        """Of two transactions that cannot both be serialised one runs again, and both succeed."""
        barrier = Barrier(2, timeout=PATIENCE)

        def work(connection: Connection, own: int, turn: int) -> None:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            seen = connection.execute(select(counter.c.next)).scalar_one()
            if turn == 1:
                barrier.wait()
            connection.execute(update(counter).values(next=seen + 1))

        assert both(work, postgresql) == 3
        assert number(postgresql) == 3

    def test_runs_again_after_a_deadlock(self, postgresql: Database) -> None:
        """Of two transactions that deadlock one runs again, and both succeed."""
        postgresql.write(lambda connection: [claim(connection, "0"), claim(connection, "1")])
        barrier = Barrier(2, timeout=PATIENCE)

        def work(connection: Connection, own: int, turn: int) -> None:
            connection.exec_driver_sql("SET LOCAL deadlock_timeout = '10ms'")
            first, second = (update(email_claim).where(email_claim.c.address == str(each)) for each in (own, 1 - own))
            connection.execute(first.values(customer_id=uuid4()))
            if turn == 1:
                barrier.wait()
            connection.execute(second.values(customer_id=uuid4()))

        assert both(work, postgresql) == 3

    @pytest.mark.parametrize(("state", "tries"), {"57P01": 4, "25006": 4, "08006": 4, "40001": 10, "40P01": 10}.items())
    def test_gives_up_after_some_tries(self, postgresql: Database, state: str, tries: int) -> None:
        """A failure that the engine asks to retry becomes Unavailable after some tries, with the state only.

        Contention passes, so that it gets more tries than an outage.
        """
        runs = 0

        def work(connection: Connection) -> None:
            nonlocal runs
            runs += 1
            claim(connection)
            raise_state(connection, state)

        with pytest.raises(Unavailable, match=f"^database error {state}"):
            postgresql.write(work)
        assert runs == tries
        assert counts(postgresql) == {}

    @pytest.mark.parametrize(("state", "kind"), [("42P01", ProgrammingError), ("53100", Unavailable)])
    def test_runs_other_failures_once(self, postgresql: Database, state: str, kind: type[Exception]) -> None:
        """A wrong statement raises as a bug and a full disk as Unavailable, each after one run."""
        runs = 0

        def work(connection: Connection) -> None:
            nonlocal runs
            runs += 1
            raise_state(connection, state)

        with pytest.raises(kind):
            postgresql.write(work)
        assert runs == 1

    def test_runs_again_when_its_connections_were_ended(self, postgresql: Database, postgresql_url: str) -> None:
        """Work whose connection the server has ended, as after a restart, runs again on a new one."""
        postgresql.write(add_one)
        with psycopg.connect(postgresql_url) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        postgresql.write(add_one)
        assert number(postgresql) == 3

    def test_recovers_from_a_stopped_server(self) -> None:
        """While the server is stopped work raises Unavailable; when it runs again, the same object works."""
        with PostgresServer() as server:
            database = open_database(server.url())
            migrate(database)
            database.write(claim)
            server.stop()
            for run in (database.write, database.read):
                with pytest.raises(Unavailable, match="Connection refused; start the server, or"):
                    run(lambda connection: connection.execute(select(counter)).one())
            server.start()
            assert counts(database) == {"email_claim": 1}
            database.write(add_one)
            server.kill()
            server.start()
            database.write(add_one)
            database.close()

    @pytest.mark.parametrize("knows_its_rows", [True, False])
    def test_lost_answer_to_a_commit(self, postgresql: Database, postgresql_url: str, *, knows_its_rows: bool) -> None:
        """When the answer to its commit is lost, work that knows its rows runs again; any other raises Unavailable."""
        target = make_url(postgresql_url)
        assert target.port
        with Proxy(target.port) as proxy:
            database = open_database(target.set(port=proxy.port).render_as_string(hide_password=False))
            database.read(lambda connection: connection.execute(text("SELECT 1")))
            proxy.lose_next_commit()
            if knows_its_rows:
                assert database.write(claim, knows_its_rows=True) is False
            else:
                with pytest.raises(Unavailable):
                    database.write(claim)
            assert proxy.lost == 1
            database.close()
        assert counts(postgresql) == {"email_claim": 1}

    def test_gives_up_on_a_server_that_stands_still(self) -> None:
        """Work on a server that does not answer raises Unavailable, and the next statement gets its own answer."""
        with PostgresServer() as server:
            database = open_database(server.url(), wait=0.2)
            one = text("SELECT 1")
            database.read(lambda connection: connection.execute(one))
            with (
                server.frozen(),
                pytest.raises(Unavailable, match=r"^database error \w+Timeout: the server does not answer$"),
            ):
                database.read(lambda connection: connection.execute(one))
            assert database.read(lambda connection: connection.execute(text("SELECT 2")).scalar_one()) == 2
            database.close()

    def test_keeps_a_connection_whose_statement_was_refused(self, postgresql: Database) -> None:
        """A connection is kept when the server has refused a statement, because a lock took too long for example."""

        def process(connection: Connection) -> object:
            return connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()

        before = postgresql.read(process)
        with pytest.raises(Locked, match=r"^another transaction holds a lock$"):
            postgresql.read(lambda connection: raise_state(connection, "55P03"))
        assert postgresql.read(process) == before

    def test_notices_a_server_that_dies_silently(self, postgresql: Database) -> None:
        """The kernel asks after five seconds of silence and gives up after ten."""

        def work(connection: Connection) -> list[int]:
            driver: Any = connection.connection.dbapi_connection
            with socket.socket(fileno=os.dup(driver.fileno())) as copy:
                options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_USER_TIMEOUT)
                return [copy.getsockopt(socket.IPPROTO_TCP, option) for option in options]

        assert postgresql.read(work) == [5, 5, 10_000]


def raise_state(connection: Connection, state: str) -> None:
    connection.exec_driver_sql(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$")

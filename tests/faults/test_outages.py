"""The database is locked, full, closed to us, read-only or stopped while a real process serves."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count

import psycopg
import pytest
from sqlalchemy import make_url

from harness.disk import SmallDisk
from harness.gateway import Gateway
from harness.postgres import PostgresServer
from registration.storage.database import Database, open_database
from registration.storage.migrations import migrate
from tests.conftest import Serve
from tests.faults.doors import DOORS, Answer, get
from tests.registration.stored import counts
from tests.waiting import eventually, interrupted_after

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

PAGE = "/register/confirm?token=00000000000000000000000000000000"


def ask_both(gateway: Gateway, name: str) -> list[Answer]:
    """Sign up through both doors at the same time, under different addresses."""
    waiting = [door(gateway, f"{name}-{number}@example.org") for number, door in enumerate(DOORS)]
    answers = [read() for read in waiting]
    return [answer for answer in answers if answer]


def assert_unavailable(gateway: Gateway, answers: list[Answer]) -> None:
    """Check that both doors answer 503 with an id that is in the log."""
    assert [(answer.verdict, answer.status) for answer in answers] == [("unavailable", 503)] * len(DOORS)
    log = gateway.log.read_text()
    for answer in answers:
        assert len(answer.correlation_id) == 16
        assert answer.correlation_id in log


def assert_registered(answers: list[Answer]) -> None:
    assert [answer.verdict for answer in answers] == ["registered"] * len(DOORS)


class TestSqlite:
    @pytest.fixture
    def database(self, sqlite_url: str) -> Iterator[Database]:
        database = open_database(sqlite_url)
        yield database
        database.close()

    def test_locked_by_another_process(self, serve: Serve, sqlite_url: str, database: Database) -> None:
        """With a locked database sign-ups are refused after a wait, reads go on, and sign-ups succeed afterwards.

        Meanwhile the node is not ready.
        """
        gateway = serve(GATEWAY_DATABASE_URL=sqlite_url)
        assert_registered(ask_both(gateway, "before"))
        before = counts(database)
        other = sqlite3.connect(make_url(sqlite_url).database or "", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert_unavailable(gateway, ask_both(gateway, "during"))
        assert [get(gateway, path) for path in ("/healthz", "/readyz", PAGE)] == [200, 503, 404]
        other.execute("ROLLBACK")
        other.close()
        assert counts(database) == before
        assert_registered(ask_both(gateway, "during"))

    def test_on_a_full_disk(self, serve: Serve, disk: SmallDisk) -> None:
        """Without a free byte sign-ups are refused and nothing is written; they succeed when there is room again."""
        gateway = serve(GATEWAY_DATABASE_URL=f"sqlite:///{disk.path}/registration.db")
        assert_registered(ask_both(gateway, "before"))
        with disk.full():
            assert_unavailable(gateway, ask_both(gateway, "during"))
        assert_registered(ask_both(gateway, "during"))


@contextmanager
def migrated_server() -> Iterator[tuple[PostgresServer, Database]]:
    with PostgresServer() as server, closing(open_database(server.url())) as database:
        migrate(database)
        yield server, database


@pytest.fixture
def url_on_disk(disk: SmallDisk) -> Iterator[str]:
    """The URL of a PostgreSQL database whose tables are on the small disk, and whose log is not."""
    directory = disk.path / "space"
    directory.mkdir()
    if os.geteuid() == 0:
        shutil.chown(directory, "nobody", "nogroup")
    with PostgresServer() as server:
        execute(server.url(), f"CREATE TABLESPACE small LOCATION '{directory}'")
        execute(server.url(), "CREATE DATABASE small TABLESPACE small")
        with closing(open_database(server.url("small"))) as database:
            migrate(database)
        yield server.url("small")


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


GUEST = (
    "CREATE ROLE guest LOGIN",
    "GRANT ALL ON ALL TABLES IN SCHEMA public TO guest",
)
END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'guest'"
CLOSED = {
    "read-only": ("ALTER ROLE guest SET default_transaction_read_only TO on", "ALTER ROLE guest RESET ALL"),
    "out of connections": ("ALTER ROLE guest CONNECTION LIMIT 0", "ALTER ROLE guest CONNECTION LIMIT -1"),
}


class TestPostgresql:
    def test_on_a_full_disk(self, serve: Serve, url_on_disk: str, disk: SmallDisk) -> None:
        """Sign-ups are refused when their tables cannot grow, those before are stored, and later ones succeed."""
        gateway, numbers = serve(GATEWAY_DATABASE_URL=url_on_disk), count()
        answers: list[Answer] = []

        def both_are_refused() -> bool:
            answers.extend(ask_both(gateway, f"during-{next(numbers)}"))
            return {answer.verdict for answer in answers[-len(DOORS) :]} == {"unavailable"}

        with disk.full():
            eventually(both_are_refused)
            assert_unavailable(gateway, answers[-len(DOORS) :])
        assert_registered(ask_both(gateway, "after"))
        assert {answer.verdict for answer in answers} <= {"registered", "unavailable"}
        acknowledged = sum(answer.verdict == "registered" for answer in answers)
        with closing(open_database(url_on_disk)) as database:
            assert counts(database)["customer"] == acknowledged + len(DOORS)

    @pytest.mark.parametrize("trouble", CLOSED)
    def test_closed_to_us(self, serve: Serve, trouble: str) -> None:
        """Sign-ups are refused and nothing is written while the server lets us not write, or not in at all."""
        begin, end = CLOSED[trouble]
        with migrated_server() as (server, database):
            execute(server.url(), *GUEST)
            gateway = serve(GATEWAY_DATABASE_URL=server.url().replace("postgres@", "guest@"))
            assert_registered(ask_both(gateway, "before"))
            before = counts(database)
            execute(server.url(), begin, END_SESSIONS)
            assert_unavailable(gateway, ask_both(gateway, "during"))
            assert counts(database) == before
            execute(server.url(), end)
            assert_registered(ask_both(gateway, "during"))
            gateway.stop()

    def test_frozen(self, serve: Serve) -> None:
        """With a server that answers nothing every sign-up of a crowd is refused at its own deadline, eleven seconds.

        None waits for those before it, and all can be tried again.
        """
        with migrated_server() as (server, _database):
            gateway = serve(GATEWAY_DATABASE_URL=server.url(), GATEWAY_QUEUE_SECONDS="1", GATEWAY_SIGN_UP_LIMIT="0")
            assert_registered(ask_both(gateway, "before"))
            with server.frozen(), interrupted_after(22):
                waiting = [DOORS[n % 2](gateway, f"frozen-{n}@example.org") for n in range(24)]
                refused = [read() for read in waiting]
                assert get(gateway, "/healthz") == 200
            assert {(answer.verdict, answer.status) for answer in refused if answer} == {("unavailable", 503)}
            assert_registered(ask_both(gateway, "frozen"))
            gateway.stop()

    def test_stopped_and_started_again(self, serve: Serve) -> None:
        """With a stopped database every page answers 503 but the liveness probe; afterwards all pages work."""
        with migrated_server() as (server, database):
            gateway = serve(GATEWAY_DATABASE_URL=server.url())
            assert_registered(ask_both(gateway, "before"))
            before = counts(database)
            for stop in (server.stop, server.kill):
                stop()
                assert_unavailable(gateway, ask_both(gateway, "during"))
                eventually(lambda: get(gateway, "/readyz") == 503)  # "ready" counts for a second
                assert [get(gateway, path) for path in ("/healthz", "/readyz", PAGE)] == [200, 503, 503]
                server.start()
                assert counts(database) == before
                assert [get(gateway, path) for path in ("/healthz", "/readyz", PAGE)] == [200, 200, 404]
            assert_registered(ask_both(gateway, "during"))
            gateway.stop()

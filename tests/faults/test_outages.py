"""The database is locked or stopped while a real process serves."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import make_url

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


@contextmanager
def migrated_server() -> Iterator[tuple[PostgresServer, Database]]:
    with PostgresServer() as server, closing(open_database(server.url())) as database:
        migrate(database)
        yield server, database


class TestPostgresql:
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

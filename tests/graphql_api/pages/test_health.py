"""The probes of an orchestrator, on both engines."""

import asyncio
import shutil
from contextlib import closing
from pathlib import Path
from threading import Event

import psycopg
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from graphql_api.engine.threads import Threads
from graphql_api.pages.health import Readiness
from registration.readiness import NotReady
from registration.storage.database import Database, open_database
from tests.graphql_api.installation import Installation, installed

LOCKED = NotReady("database locked", "another process holds the lock")


def probe(installation: Installation, path: str) -> tuple[int, str, str]:
    response = installation.client.get(path)
    return response.status_code, response.json()["status"], response.headers["cache-control"]


def test_a_gateway_with_a_current_database_is_ready(installation: Installation) -> None:
    """Both probes answer 200, and are not cached."""
    assert probe(installation, "/healthz") == (200, "alive", "no-store")
    assert probe(installation, "/readyz") == (200, "ready", "no-store")


def test_a_gateway_whose_database_is_behind_is_alive_but_not_ready(database: Database) -> None:
    """With an old schema the process is alive and not ready."""
    database.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = 'older'")))
    with installed(database) as installation:
        assert probe(installation, "/readyz") == (503, "migrations missing", "no-store")
        assert probe(installation, "/healthz") == (200, "alive", "no-store")


def test_a_gateway_on_an_empty_database_is_not_ready(database: Database) -> None:
    """With an empty database the process is not ready."""
    database.write(lambda connection: connection.execute(text("DROP TABLE alembic_version")))
    with installed(database) as installation:
        assert probe(installation, "/readyz") == (503, "migrations missing", "no-store")


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/nothing", "sqlite:///{directory}/gone/file.db"])
def test_a_gateway_whose_database_is_gone_is_alive_but_not_ready(tmp_path: Path, url: str) -> None:
    """Without a database the process is alive and not ready, and the answer gives no reason."""
    database = open_database(url.format(directory=tmp_path), wait=0.1)
    shutil.rmtree(tmp_path / "gone", ignore_errors=True)
    with installed(database) as installation:
        assert probe(installation, "/readyz") == (503, "database unreachable", "no-store")
        assert probe(installation, "/healthz") == (200, "alive", "no-store")


def test_a_gateway_whose_database_is_read_only_says_so(postgresql_url: str) -> None:
    """The answer names the kind of the outage, and the log the reason."""
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET default_transaction_read_only TO on".encode())
    with capture_logs() as logs, installed(open_database(postgresql_url)) as installation:
        for _ in range(2):
            assert probe(installation, "/readyz") == (503, "database read-only", "no-store")
    found = [entry for entry in logs if entry["event"] == "not ready"]
    assert [entry["reason"] for entry in found] == ["database error 25006: the database is read-only"]


class TestReadiness:
    """How often a node looks, however often it is asked: a look writes into the database."""

    def ask(self, times: int, *found: NotReady | None, seconds: float = 0) -> tuple[list[NotReady | None], int]:
        """Ask at once, then once more after so many seconds; the answers, and how often it looked."""
        now, left = 0.0, list(found)

        async def run() -> list[NotReady | None]:
            nonlocal now
            readiness = Readiness(lambda: left.pop(0), threads, lambda: now)
            answers = list(await asyncio.gather(*(readiness.obstacle() for _ in range(times))))
            now += seconds
            return [*answers, await readiness.obstacle()]

        with closing(Threads(hashing=1)) as threads:
            answers = asyncio.run(run())
        return answers, len(found) - len(left)

    def test_a_burst_looks_once(self) -> None:
        """Probes that come at once share one look, and so do those of the same second."""
        assert self.ask(20, None, LOCKED, seconds=0.9) == ([None] * 21, 1)

    def test_ready_counts_for_a_second(self) -> None:
        """After a second it looks again."""
        assert self.ask(2, None, LOCKED, seconds=1.1) == ([None, None, LOCKED], 2)

    def test_not_ready_does_not_count_longer(self) -> None:
        """A node that was not ready looks again at once."""
        assert self.ask(2, LOCKED, None) == ([LOCKED, LOCKED, None], 2)

    def test_a_look_that_hangs_is_given_up(self) -> None:
        """A look that ends at no deadline, as on a disk that hangs, is answered, too."""
        may_end = Event()

        def hang() -> None:
            may_end.wait()

        async def run() -> NotReady | None:
            try:
                return await Readiness(hang, threads).obstacle()
            finally:
                may_end.set()

        with closing(Threads(hashing=1)) as threads:
            assert asyncio.run(run()) == NotReady("database too slow", "the deadline of the request has passed")

"""The servers of the harness are real, can be stopped and started again, and leave no files."""

import signal
import smtplib
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import LiteralString
from uuid import uuid4

import httpx2
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from harness.ports import HOST
from harness.postgres import PostgresServer, create_database
from harness.reused_database import ReusedDatabase
from harness.smtp import SmtpServer
from registration.storage.database import Database
from registration.storage.revision import is_usable, newest
from tests.conftest import Serve
from tests.waiting import eventually

MAIL = "From: a@example.com\r\nTo: b@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello\r\n"


def test_every_test_gets_a_migrated_database(database: Database) -> None:
    """The database of a test has the newest revision, on both engines."""
    assert database.read(lambda connection: is_usable(connection, newest()))


class TestPostgres:
    def test_comes_back_after_a_stop(self) -> None:
        """A stopped server does not answer, and answers at the same URL after its start."""
        with PostgresServer() as server:
            url = create_database(server.url(), "shop")
            server.stop()
            assert not answers(url)
            server.start()
            assert answers(url)

    def test_comes_back_after_a_crash(self) -> None:
        """After SIGKILL of all its processes, committed rows are recovered."""
        with PostgresServer(fsync="on", full_page_writes="on") as server:
            with psycopg.connect(server.url()) as connection:
                connection.execute("CREATE TABLE kept AS SELECT 25 AS number")
            server.kill()
            assert not answers(server.url())
            server.start()
            with psycopg.connect(server.url()) as connection:
                assert connection.execute("SELECT number FROM kept").fetchone() == (25,)

    def test_takes_settings(self) -> None:
        """A test can set settings of its own server."""
        with PostgresServer(max_connections="7") as server, psycopg.connect(server.url()) as connection:
            assert connection.execute("SHOW max_connections").fetchone() == ("7",)

    def test_ends_with_its_owner(self) -> None:
        """A server ends when its owner is killed, and the next server removes its files."""
        command = [sys.executable, "-m", "harness.postgres"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
            assert owner.stdout
            url = owner.stdout.readline().strip()
            with psycopg.connect(url) as connection:
                row = connection.execute("SHOW data_directory").fetchone()
            assert row
            directory = Path(row[0]).parent
            owner.send_signal(signal.SIGKILL)
        eventually(lambda: not answers(url))
        with PostgresServer():
            assert not directory.exists()


@pytest.mark.long
class TestReusedDatabase:
    @pytest.mark.parametrize(
        "change",
        [
            "INSERT INTO email_claim SELECT 'ada@example.org', gen_random_uuid()",
            "UPDATE counter SET next = 9",
            "DELETE FROM alembic_version",
            "DROP TABLE attempt",
            "CREATE TABLE other ()",
            "ALTER TABLE customer ADD CHECK (email = '')",
            "ALTER TABLE customer ALTER email DROP NOT NULL",
            "ALTER TABLE customer RENAME email TO address",
            "DROP INDEX ix_customer_shadow",
            "ANALYZE counter",
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone TO GMT', current_database()); END $$",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        ],
    )
    def test_nothing_is_left_of_a_test(self, postgres_url: str, postgres_template: str, change: LiteralString) -> None:
        """`renew` undoes changes of rows, tables and settings, and ends a session that holds a lock."""
        with ReusedDatabase(postgres_url, f"reused_{uuid4().hex}", postgres_template) as reused:
            before = everything(reused.url)
            with psycopg.connect(reused.url) as connection:
                connection.execute(change)
            with closing(psycopg.connect(reused.url)) as forgotten:
                forgotten.execute("LOCK TABLE email_claim")
                reused.renew()
            assert everything(reused.url) == before


def everything(url: str) -> list[object]:
    """All rows of a database, and its columns, indexes, constraints, statistics and time zone."""
    with psycopg.connect(url) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name, is_nullable FROM information_schema.columns"
            " WHERE table_schema = 'public' ORDER BY 1, 2"
        ).fetchall()
        others = [
            connection.execute(query).fetchall()
            for query in (
                "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
                "SELECT conname FROM pg_constraint ORDER BY 1",
                "SELECT count(*) FROM pg_statistic",
                "SHOW timezone",
            )
        ]
        tables = sorted({name for name, *_ in columns})
        rows = [connection.execute(SQL("SELECT * FROM {}").format(Identifier(name))).fetchall() for name in tables]
    return [columns, *others, *rows]


def answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.long
@pytest.mark.usefixtures("unmeasured")
class TestGateway:
    def test_serves_and_stops_cleanly(self, serve: Serve, database_url: str) -> None:
        """A gateway is ready when `serve` returns, and stops with status 0."""
        gateway = serve(GATEWAY_DATABASE_URL=database_url)
        assert httpx2.get(f"{gateway.base_url}/healthz").status_code == 200
        gateway.stop()
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"{gateway.base_url}/healthz")

    def test_starts_again_after_a_crash(self, serve: Serve, sqlite_url: str) -> None:
        """A killed gateway can be started again on the same port."""
        gateway = serve(GATEWAY_DATABASE_URL=sqlite_url)
        gateway.kill()
        gateway.start()
        assert httpx2.get(f"{gateway.base_url}/healthz").status_code == 200

    def test_tells_why_it_did_not_start(self, serve: Serve) -> None:
        """The error of a failed start holds the log of the gateway."""
        with pytest.raises(RuntimeError, match="GATEWAY_PASSWORD_MIN_LENGTH"):
            serve(GATEWAY_PASSWORD_MIN_LENGTH="none")

    def test_takes_nothing_from_outside(self, serve: Serve, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """GATEWAY_ variables of the environment do not reach the gateway of a test."""
        monkeypatch.setenv("GATEWAY_PASSWORD_MIN_LENGTH", "none")
        serve(GATEWAY_DATABASE_URL=sqlite_url)


class TestSmtp:
    def test_keeps_messages(self, smtp: SmtpServer) -> None:
        """A message is kept as it was sent, with decoded headers."""
        with smtplib.SMTP(HOST, smtp.port) as client:
            client.sendmail("a@example.com", ["b@example.com"], MAIL)
        assert [message["Subject"] for message in smtp.messages] == ["Grüße"]

    def test_refuses_when_told_to(self, smtp: SmtpServer) -> None:
        """The next message gets the answer chosen by the test, and the one after it is accepted."""
        smtp.answers.append("550 no such mailbox")
        with smtplib.SMTP(HOST, smtp.port) as client:
            with pytest.raises(smtplib.SMTPDataError):
                client.sendmail("a@example.com", ["b@example.com"], MAIL)
            client.sendmail("a@example.com", ["b@example.com"], MAIL)
        assert len(smtp.messages) == 1

    def test_listens_again_on_the_same_port(self, smtp: SmtpServer) -> None:
        """A stopped server refuses connections, and accepts them at the same port after its start."""
        smtp.stop()
        with pytest.raises(ConnectionRefusedError):
            smtplib.SMTP(HOST, smtp.port)
        smtp.start()
        smtplib.SMTP(HOST, smtp.port).close()

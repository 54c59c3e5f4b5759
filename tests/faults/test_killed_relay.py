"""kill -9 of a real relay between every two steps of a mail: it is not lost, and comes again only if it was sent."""

import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import Connection, update

from harness.gateway import COMMAND, DIES_WITH_US, outer_environment
from registration.keys.secret import create_secret
from registration.keys.signing_keys import create_signing_keys
from registration.mail.rendering import MailKind
from registration.storage.database import Database
from registration.storage.tables import mail
from tests.registration.mail.scripted_server import Replies, Script
from tests.registration.people import signed_up
from tests.registration.stored import rows
from tests.waiting import eventually, wait_for

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

MAILS = 5


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    create_secret(tmp_path / "keys")
    create_signing_keys(tmp_path / "keys", "both")
    return tmp_path / "keys"


def fill(database: Database, number: int) -> None:
    """Mails to customers that housekeeping keeps."""
    now = datetime.now(UTC)
    for _ in range(number):
        signed_up(database, kind=MailKind.WELCOME, now=now, created_at=now, confirmed_at=now)


@contextmanager
def relay(database_url: str, keys: Path, mail_url: str, connections: int = 1) -> Iterator["subprocess.Popen[bytes]"]:
    """A relay in a process of its own; it is killed at the end."""
    settings = {
        "GATEWAY_DATABASE_URL": database_url,
        "GATEWAY_KEYS_DIR": str(keys),
        "GATEWAY_MAIL_URL": mail_url,
        "GATEWAY_MAIL_CONNECTIONS": str(connections),
        "GATEWAY_MAIL_FROM": "Registration <registration@localhost>",
        "GATEWAY_PUBLIC_URL": "http://localhost",
    }
    command = [*DIES_WITH_US, str(COMMAND), "relay"]
    process = subprocess.Popen(command, env=outer_environment() | settings, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def arrivals(server: Script) -> Counter[str]:
    """How often each mail has arrived as a whole, by its id."""
    found = [re.search(rb"Message-ID: <([^@]+)", content) for content in server.contents]
    return Counter(each[1].decode() for each in found if each)


def send_the_rest(database: Database, database_url: str, keys: Path, server: Script) -> Counter[str]:
    """End the leases of the killed relay, and let another one send; the arrivals then."""
    database.write(lambda connection: connection.execute(update(mail).values(due_at=datetime.now(UTC))).close())
    with relay(database_url, keys, server.url):
        eventually(lambda: {row["status"] for row in rows(database, mail)} == {"sent"})
    found = arrivals(server)
    tries = {str(row["id"]): row["attempts"] for row in rows(database, mail)}
    assert found.keys() == tries.keys()
    assert all(found[each] <= tries[each] for each in found)
    return found


@pytest.mark.parametrize("verb", ["GREET", "MAIL", "RCPT", "DATA", "."])
def test_a_relay_that_dies_amid_a_mail(database: Database, database_url: str, keys: Path, verb: str) -> None:
    """A mail comes again only if its content was sent; those that were claimed with it come once."""
    fill(database, MAILS)
    first_time = [] if verb == "GREET" else [Script.POLITE[verb]]
    script: Replies = {verb: [*first_time, Event()]}
    with Script(script, {}) as server:
        with relay(database_url, keys, server.url):
            wait_for(server.waiting)
        release(script)
        found = send_the_rest(database, database_url, keys, server)
    assert sum(found.values()) == MAILS + (verb == ".")


def test_a_relay_that_dies_before_it_settles(database: Database, database_url: str, keys: Path) -> None:
    """A mail that the server has taken comes again when the relay dies before that is settled."""
    fill(database, 2)
    script: Replies = {".": ["250 kept", Event()]}
    with Script(script, {}) as server:
        with relay(database_url, keys, server.url), locked(database, server.waiting):
            release(script)
            eventually(lambda: server.answered == 2)
        found = send_the_rest(database, database_url, keys, server)
    assert sorted(found.values()) == [1, 2]


def test_a_relay_that_dies_after_it_settled(database: Database, database_url: str, keys: Path) -> None:
    """A mail that is settled does not come again, also when a later one is sent."""
    fill(database, MAILS)
    with Script({}) as server:
        with relay(database_url, keys, server.url):
            eventually(lambda: {row["status"] for row in rows(database, mail)} == {"sent"})
        fill(database, 1)
        found = send_the_rest(database, database_url, keys, server)
    assert list(found.values()) == [1] * (MAILS + 1)


@contextmanager
def locked(database: Database, begin: Event) -> Iterator[None]:
    """From the event on no other transaction can write a mail."""
    is_locked, done = Event(), Event()

    def hold(connection: Connection) -> None:
        connection.execute(update(mail).values(reason=mail.c.reason))
        is_locked.set()
        wait_for(done)

    wait_for(begin)
    holding = Thread(target=database.write, args=[hold])
    holding.start()
    wait_for(is_locked)
    try:
        yield
    finally:
        done.set()
        holding.join()


def release(script: Replies) -> None:
    """Let the server go on where it waits."""
    for reply in script.values():
        for each in reply if isinstance(reply, list) else [reply]:
            if isinstance(each, Event):
                each.set()

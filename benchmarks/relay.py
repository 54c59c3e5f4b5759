"""A relay of its own, and what it does with mails that wait: what one costs it, and how many leave in a second."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from benchmarks.load import LoadError
from benchmarks.mail_sink import sink
from benchmarks.population import populate
from harness.gateway import COMMAND, DIES_WITH_US, outer_environment
from harness.processes import cpu_seconds
from harness.store import Engine, Store, store
from registration.mail.outbox import enqueue
from registration.mail.rendering import MailKind
from registration.services import Services
from registration.settings import Settings
from registration.storage.tables import customer
from registration.wiring import open_services

STUCK_SECONDS = 60
"""No mail leaves for so long: the relay has failed."""


def drain(directory: Path, store: Store) -> float:
    """Send every mail that waits, into files, with a relay of its own; its CPU milliseconds for each mail."""
    mails = store.waiting_mails()
    with relay(directory, store, GATEWAY_MAIL_URL=f"file://{directory / 'mail'}") as process:
        wait_until_sent(store, process)
        return cpu_seconds(process.pid) * 1000 / max(1, mails)


def mails_a_second(directory: Path, engine: Engine, number: int, seconds: float, connections: int) -> float:
    """How many of `number` mails leave in a second, by a relay of its own, to a server that takes `seconds` for one."""
    with store(engine, directory) as filled, sink(seconds) as server:
        settings = {"GATEWAY_MAIL_URL": server.url, "GATEWAY_MAIL_CONNECTIONS": str(connections)}
        with relay(directory, filled) as process:  # makes the keys
            process.terminate()
        enqueue_mails(directory, filled, number)
        with relay(directory, filled, **settings) as process:
            wait_until_sent(filled, process)
        moments = sorted(server.taken().values())
    return (len(moments) - 1) / (moments[-1] - moments[0])


def enqueue_mails(directory: Path, store: Store, number: int) -> None:
    """Mails of welcome, each to another customer: no key is needed for them."""
    services = open_services(Settings(database_url=store.url, keys_dir=str(directory / "keys")))
    try:
        populate(services, number)
        services.database.write(partial(_enqueue, services=services))
    finally:
        services.close()


def _enqueue(connection: Connection, services: Services) -> None:
    for customer_id in connection.scalars(customer.select().with_only_columns(customer.c.id)).all():
        enqueue(connection, kind=MailKind.WELCOME, customer_id=customer_id, token_id=None, now=services.clock())


@contextmanager
def relay(directory: Path, store: Store, **settings: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A relay that runs meanwhile, with the keys in `directory`; `settings` are GATEWAY_ variables."""
    environment = outer_environment() | {
        "GATEWAY_DATABASE_URL": store.url,
        "GATEWAY_KEYS_DIR": str(directory / "keys"),
        "GATEWAY_MAIL_URL": "console:",
        "GATEWAY_MAIL_FROM": "Registration <registration@localhost>",
        "GATEWAY_PUBLIC_URL": "http://localhost",
        **settings,
    }
    subprocess.run([COMMAND, "keys", "init"], env=environment, stdout=subprocess.DEVNULL, check=True)
    process = subprocess.Popen(
        [*DIES_WITH_US, COMMAND, "relay"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_until_sent(store: Store, process: "subprocess.Popen[bytes]") -> None:
    """Return when no mail waits. Raises LoadError when the process has ended, or sends no mail any more."""
    waiting, deadline = store.waiting_mails(), time.monotonic() + STUCK_SECONDS
    while waiting:
        if process.poll() is not None or time.monotonic() > deadline:
            raise LoadError(f"{waiting} mails wait, and no relay sends them")
        time.sleep(0.2)
        before, waiting = waiting, store.waiting_mails()
        if waiting < before:
            deadline = time.monotonic() + STUCK_SECONDS

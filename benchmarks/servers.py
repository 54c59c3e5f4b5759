"""What is measured: a gateway, a relay of its own, databases on the disk, and a bare route; real ones, on loopback."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from sqlalchemy import func, select

from benchmarks.processes import cpu_seconds
from graphql_api.settings import GatewaySettings
from harness.gateway import DIES_WITH_US, Gateway
from harness.ports import HOST, free_port
from harness.postgres import PostgresServer
from registration.hashing.calibration import Costs
from registration.services import Services
from registration.storage.database import Database, open_database
from registration.storage.migrations import migrate
from registration.storage.tables import customer, mail
from registration.wiring import open_services

Engine = Literal["sqlite", "postgresql"]
ENGINES: tuple[Engine, ...] = ("sqlite", "postgresql")
CHEAPEST = Costs(8, 1)
# As it would be run, unlike the tests' own: every commit reaches the disk.
DURABLE = {"fsync": "on", "full_page_writes": "on", "autovacuum": "on"}


class Store:
    """A migrated, empty database; `cpu_seconds` are those of its server, none for SQLite."""

    def __init__(self, url: str, server: PostgresServer | None) -> None:
        self.url = url
        self._server = server

    @property
    def cpu_seconds(self) -> float:
        return cpu_seconds(self._server.pid) if self._server else 0.0

    @contextmanager
    def opened(self) -> Iterator[Database]:
        database = open_database(self.url)
        try:
            yield database
        finally:
            database.close()

    def customers(self) -> int:
        with self.opened() as database:
            return database.read(lambda connection: connection.scalar(select(func.count()).select_from(customer)) or 0)

    def waiting_mails(self) -> int:
        waiting = select(func.count()).select_from(mail).where(mail.c.status == "waiting")
        with self.opened() as database:
            return database.read(lambda connection: connection.scalar(waiting) or 0)


@contextmanager
def store(engine: Engine, directory: Path) -> Iterator[Store]:
    """An empty database; on the disk that holds `directory` or the directory for temporary files."""
    if engine == "sqlite":
        yield _migrated(Store(f"sqlite:///{tempfile.mkdtemp(dir=directory)}/registration.db", None))
        return
    with PostgresServer(on_disk=True, **DURABLE) as server:
        yield _migrated(Store(server.url(), server))


@contextmanager
def gateway(
    directory: Path, store: Store, costs: Costs, *, workers: int = 1, mode: str = "production", **settings: str
) -> Iterator[Gateway]:
    """`registration-gateway serve` without a relay, as ruling 11 of the speed issue asks."""
    wanted = {
        "GATEWAY_MODE": mode,
        "GATEWAY_DATABASE_URL": store.url,
        "GATEWAY_RELAY": "off",
        "GATEWAY_WORKERS": str(workers),
        "GATEWAY_HASH_MEMORY_KIB": str(costs.memory_kib),
        "GATEWAY_HASH_TIME_COST": str(costs.time_cost),
        # A busy machine answers late; only pressure.py is about refusals.
        "GATEWAY_QUEUE_SECONDS": "60",
        **settings,
    }
    with Gateway(Path(tempfile.mkdtemp(dir=directory)), wanted) as running:
        yield running


@contextmanager
def services_of(running: Gateway, store: Store) -> Iterator[Services]:
    """The parts of a running gateway once more, to write people into its database and to make tokens that it takes."""
    services = open_services(GatewaySettings(database_url=store.url, keys_dir=str(running.keys_directory)))
    try:
        yield services
    finally:
        services.close()


def drain(directory: Path, store: Store) -> float:
    """Send every mail that waits, into files, with a relay of its own; its CPU milliseconds for each mail."""
    mails = store.waiting_mails()
    keys = directory / "keys"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")} | {
        "GATEWAY_DATABASE_URL": store.url,
        "GATEWAY_KEYS_DIR": str(keys),
        "GATEWAY_MAIL_URL": f"file://{directory / 'mail'}",
    }
    command = Path(sys.executable).with_name("registration-gateway")
    subprocess.run([command, "keys", "new"], env=environment, stdout=subprocess.DEVNULL, check=True)
    relay = subprocess.Popen(
        [*DIES_WITH_US, command, "relay"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while store.waiting_mails():
            if relay.poll() is not None:
                raise RuntimeError(f"the relay ended with {relay.returncode} and left mails")
            time.sleep(0.2)
        return cpu_seconds(relay.pid) * 1000 / max(1, mails)
    finally:
        relay.terminate()
        relay.wait()


@contextmanager
def bare_route(core: int) -> Iterator[str]:
    """A Starlette route that answers a constant as JSON, served as the gateway is; its base URL."""
    port = free_port()
    options = [
        "--host",
        HOST,
        "--port",
        str(port),
        "--loop",
        "uvloop",
        "--http",
        "httptools",
        "--log-level",
        "critical",
    ]
    server = subprocess.Popen(
        [
            *DIES_WITH_US,
            "taskset",
            "--cpu-list",
            str(core),
            sys.executable,
            "-m",
            "uvicorn",
            "benchmarks.baseline:app",
            *options,
        ]
    )
    try:
        time.sleep(1.5)
        yield f"http://{HOST}:{port}"
    finally:
        server.terminate()
        server.wait()


def _migrated(store: Store) -> Store:
    with store.opened() as database:
        migrate(database)
    return store

"""Databases on the disk that commit as in production, on either engine."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Select, func, select

from harness.postgres import PostgresServer
from harness.processes import cpu_seconds
from registration.storage.database import Database, open_database, wait_for_ever
from registration.storage.migrations import migrate
from registration.storage.tables import customer, mail

Engine = Literal["sqlite", "postgresql"]
ENGINES: tuple[Engine, ...] = ("sqlite", "postgresql")
# Unlike in tests, every commit reaches the disk.
DURABLE = {"fsync": "on", "full_page_writes": "on", "autovacuum": "on"}


class Store:
    """A database and its server; `cpu_seconds` are those of the server, 0 for SQLite."""

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
        return self._count(select(func.count()).select_from(customer))

    def waiting_mails(self) -> int:
        return self._count(select(func.count()).select_from(mail).where(mail.c.status == "waiting"))

    def _count(self, statement: Select[int]) -> int:
        """Without the time limit of requests: to count ten million rows takes longer."""

        def count(connection: Connection) -> int:
            wait_for_ever(connection)
            return connection.scalar(statement) or 0

        with self.opened() as database:
            return database.read(count)


@contextmanager
def store(engine: Engine, directory: Path) -> Iterator[Store]:
    """An empty database with the newest schema; on the disk of `directory`, PostgreSQL's on that of /tmp."""
    with unmigrated_store(engine, directory) as empty:
        with empty.opened() as database:
            migrate(database)
        yield empty


@contextmanager
def unmigrated_store(engine: Engine, directory: Path) -> Iterator[Store]:
    """As `store`, without any table."""
    if engine == "sqlite":
        yield Store(f"sqlite:///{tempfile.mkdtemp(dir=directory)}/registration.db", None)
        return
    with PostgresServer(on_disk=True, **DURABLE) as server:
        yield Store(server.url(), server)

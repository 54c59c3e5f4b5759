"""SQLite: a file of this machine, with one connection that writes and several that read."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from registration.storage.deadline import remaining
from registration.storage.outages import Unavailable

PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON")


def open_sqlite(url: URL, readers: int, wait: float) -> tuple[Engine, Engine]:
    """The writing and the reading engine; makes the directory and the file. Raises Unavailable when that fails."""
    path = url.database
    assert path is not None
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        # The file holds addresses and password hashes; SQLite gives the files beside it the same mode.
        Path(path).touch(mode=0o600)
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from None
    # One writer connection: five had a p99 of 1.4 s where one had 0.11 s at the same throughput.
    writer = _engine(url, wait, begin="BEGIN IMMEDIATE", pool_size=1)
    return writer, _engine(url, wait, begin="BEGIN", pool_size=readers, pragmas=[*PRAGMAS, "query_only=ON"])


def _engine(url: URL, wait: float, *, begin: str, pool_size: int, pragmas: Sequence[str] = PRAGMAS) -> Engine:
    engine = create_engine(
        url.set(drivername="sqlite"),
        pool_size=pool_size,
        max_overflow=0,
        # The driver must not open transactions itself: the "begin" event below does.
        connect_args={"timeout": wait, "isolation_level": None, "check_same_thread": False},
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        driver.execute(f"PRAGMA busy_timeout = {round(1000 * max(0, min(wait, remaining())))}").close()
        connection.exec_driver_sql(begin)

    return engine

"""Copying a whole database to another engine, in batches; after a crash it goes on where it stopped (decision 0058)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table, func, insert, inspect, select, update
from sqlalchemy.exc import DataError, IntegrityError

from registration.storage.database import Database, open_database
from registration.storage.migrations import migrate
from registration.storage.outages import state_of
from registration.storage.revision import RECORD, newest
from registration.storage.tables import metadata

BATCH = 5000  # rows
TABLES = metadata.sorted_tables

Show: TypeAlias = Callable[[str, int, int], None]
"""Is told what is done, and how many rows of how many: each row is copied, then compared."""


class CannotCopy(Exception):
    """The text is one line for the operator, without values of rows."""


@dataclass(frozen=True, slots=True)
class Content:
    """How many rows a table has, and a sum of their digests, which no order of the rows changes."""

    rows: int
    digest: int


def copy(source: Database, target: Database, show: Show, batch: int = BATCH) -> Sequence[Content]:
    """Copy every table into a target that was migrated and has no row of its own, and compare both.

    Locks an SQLite source against writing. Until it is done, the target says of itself that it is at no revision that a
    program knows. Raises CannotCopy and Unavailable.
    """
    return source.write(partial(_copy, target=target, show=show, batch=batch))


def _copy(source: Connection, target: Database, show: Show, batch: int) -> Sequence[Content]:
    revision = newest()
    if (found := _revision(source)) != revision:
        raise CannotCopy(f"the source is at revision {found}, this program at {revision}; run: migrate")
    target.write(partial(_claim, revision=revision))
    total = 2 * sum(_count(source, table) for table in TABLES)
    done = 0
    for table in TABLES:
        for rows in _copy_table(source, target, table, batch):
            done += rows
            show(f"copying {table.name}", done, total)
    contents = []
    for table in TABLES:
        contents.append(content := _content(source, table))
        if content != target.read(partial(_content, table=table)):
            raise CannotCopy(f"{table.name} differs from the source, which was changed meanwhile; use another target")
        done += content.rows
        show(f"comparing {table.name}", done, total)
    target.write(partial(_finish, revision=revision))
    return contents


def _claim(connection: Connection, revision: str) -> None:
    """Mark the target as one that is being copied into; nothing to do when it is marked already."""
    found = _revision(connection)
    if found == _mark(revision):
        return
    if found != revision:
        raise CannotCopy(f"the target is at revision {found}, this program at {revision}; run: migrate")
    made = _new()
    full = [table.name for table, rows in made.items() if _rows(connection, table, len(rows) + 1) != rows]
    if full:
        raise CannotCopy(f"the target is not empty: {', '.join(full)}")
    for table in (table for table, rows in made.items() if rows):
        connection.execute(table.delete())
    connection.execute(update(RECORD).values(version_num=_mark(revision)))


def _finish(connection: Connection, revision: str) -> None:
    connection.execute(update(RECORD).values(version_num=revision))
    # Before the first request: without statistics a server plans as for empty tables.
    connection.exec_driver_sql("ANALYZE")


def _mark(revision: str) -> str:
    return f"copy of {revision}"


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(RECORD.name):
        return None
    return connection.execute(select(RECORD.c.version_num)).scalar_one_or_none()


def _new() -> Mapping[Table, list[Any]]:
    """The rows that migrations make in a new database, by table."""
    with TemporaryDirectory() as directory:
        database = open_database(f"sqlite:///{Path(directory)}/new.db")
        migrate(database)
        made = database.read(lambda connection: {table: _rows(connection, table) for table in TABLES})
        database.close()
    return made


def _rows(connection: Connection, table: Table, most: int | None = None) -> list[Any]:
    return [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key).limit(most))]


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _copy_table(source: Connection, target: Database, table: Table, batch: int) -> Iterator[int]:
    """Yields the number of rows of each batch; first of those that are there, which are the first by primary key."""
    there = target.read(partial(_count, table=table))
    yield there
    rest = select(table).order_by(*table.primary_key).offset(there)
    for rows in source.execute(rest, execution_options={"yield_per": batch}).mappings().partitions():
        values = [{column.key: row[column] for column in table.columns} for row in rows]
        try:
            target.write(lambda connection, values=values: connection.execute(insert(table), values))  # type: ignore[misc]
        except (DataError, IntegrityError) as error:
            raise CannotCopy(f"{table.name}: the target refuses a row ({state_of(error)})") from None
        yield len(values)


def _content(connection: Connection, table: Table) -> Content:
    count = digest = 0
    for row in connection.execute(select(table), execution_options={"yield_per": BATCH}):
        count += 1
        # Values as Python has them: engines store moments and ids in forms of their own.
        digest += int.from_bytes(sha256(repr(tuple(row)).encode("utf-8", "surrogatepass")).digest()[:16])
    return Content(count, digest % 2**128)

"""Rows that are inserted together: gathered by table, then written with one INSERT for each table."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import Column, Connection, Executable, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

Row: TypeAlias = Mapping[str, object]


class RowBatch:
    """Takes INSERTs as a connection does, and keeps their rows until `gathered` ends."""

    def __init__(self) -> None:
        self.rows: dict[Insert, list[dict[str, object]]] = {}

    def execute(self, statement: Insert, row: Row) -> None:
        """Keep one row; the statement is a plain INSERT without values, the same object for all rows of a table."""
        self.rows.setdefault(statement, []).append(dict(row))


Inserting: TypeAlias = Connection | RowBatch
"""Takes an INSERT and a row: at once, or at the end of `gathered`."""


@contextmanager
def gathered(connection: Connection) -> Iterator[RowBatch]:
    """Collect what the block inserts and insert it at the end of the block; nothing when the block raises."""
    batch = RowBatch()
    yield batch
    for statement, rows in batch.rows.items():
        connection.execute(statement, rows)


def insert_new_together(connection: Connection, key: Column[Any], rows: Sequence[Row]) -> Collection[Any]:
    """Insert the rows whose primary key is not there; returns their values in the column `key`.

    Waits for transactions that hold a key. Unlike an integrity error, a key that is there does not end the transaction.
    """
    if not rows:
        return ()
    return set(connection.execute(_insert_new(key, connection.dialect.name), list(map(dict, rows))).scalars())


@cache
def _insert_new(key: Column[Any], dialect: str) -> Executable:
    statement = conflict_insert(key.table, dialect)
    return statement.on_conflict_do_nothing(index_elements=key.table.primary_key).returning(key)


def conflict_insert(table: Table, dialect: str) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that can have ON CONFLICT: SQLAlchemy has one for each dialect."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)

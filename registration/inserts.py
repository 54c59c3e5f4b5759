"""Rows that are inserted together, in one statement where the engine has such a one; it never knows what they mean."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TypeAlias

from sqlalchemy import Connection, Executable, Insert, Table, bindparam, insert

Row: TypeAlias = Mapping[str, object]
Shape: TypeAlias = tuple[Table, tuple[str, ...]]


class Inserts:
    """Takes INSERTs as a connection does, and keeps them for `insert_together`."""

    def __init__(self) -> None:
        self.rows: list[tuple[Table, Row]] = []

    def execute(self, statement: Insert, row: Row) -> None:
        """Keep one row; the statement must be a plain INSERT without values."""
        assert isinstance(statement.table, Table)
        self.rows.append((statement.table, row))


Inserting: TypeAlias = Connection | Inserts
"""Whatever takes an INSERT and a row."""


@contextmanager
def gathered(connection: Connection) -> Iterator[Inserts]:
    """Insert at the end of the block what the block inserts; nothing when it raises."""
    inserts = Inserts()
    yield inserts
    insert_together(connection, inserts.rows)


def insert_together(connection: Connection, rows: list[tuple[Table, Row]]) -> None:
    """Insert rows, at most one for each table. PostgreSQL gets one statement, whose parts it runs in any order."""
    if connection.dialect.name == "sqlite":
        for table, row in rows:
            connection.execute(_plain(table), dict(row))
    else:
        values = {f"{table.name}_{name}": value for table, row in rows for name, value in row.items()}
        connection.execute(_together(tuple((table, tuple(row)) for table, row in rows)), values)


@cache
def _plain(table: Table) -> Insert:
    return insert(table)


@cache
def _together(shapes: tuple[Shape, ...]) -> Executable:
    """WITH inserted_0 AS (INSERT …), inserted_1 AS (INSERT …) INSERT …: parameters are named by table and column."""
    *first, last = [
        insert(table).values({name: bindparam(f"{table.name}_{name}") for name in names}) for table, names in shapes
    ]
    return last.add_cte(*(each.cte(f"inserted_{number}") for number, each in enumerate(first)))

"""Rows that are inserted together, in one statement where the engine has such a one; it never knows what they mean."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import (
    Column,
    Connection,
    Executable,
    Insert,
    Table,
    Text,
    bindparam,
    cast,
    column,
    func,
    insert,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

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


def insert_together(connection: Connection, rows: Sequence[tuple[Table, Row]]) -> None:
    """Insert rows; PostgreSQL gets one statement, whose parts it runs in any order."""
    by_table: dict[Table, list[Row]] = {}
    for table, row in rows:
        by_table.setdefault(table, []).append(row)
    if connection.dialect.name == "sqlite":
        for table, its_rows in by_table.items():
            connection.execute(_plain(table), list(map(dict, its_rows)))
    elif by_table:
        shapes = tuple((table, tuple(its_rows[0])) for table, its_rows in by_table.items())
        connection.execute(_together(shapes), {table.name: _json(its_rows) for table, its_rows in by_table.items()})


def insert_new_together(connection: Connection, key: Column[Any], rows: Sequence[Row]) -> Collection[Any]:
    """Insert the rows whose primary key is not there; what those have in the column `key`.

    Waits for transactions that hold a key. Unlike an integrity error, a key that is there does not end the transaction.
    """
    if not rows:
        return ()
    if connection.dialect.name == "sqlite":
        result = connection.execute(_new(key), list(map(dict, rows)))
    else:
        result = connection.execute(_new_from_json(key, tuple(rows[0])), {key.table.name: _json(rows)})
    return set(result.scalars())


@cache
def _plain(table: Table) -> Insert:
    return insert(table)


@cache
def _new(key: Column[Any]) -> Executable:
    return sqlite.insert(key.table).on_conflict_do_nothing(key.table.primary_key).returning(key)


@cache
def _new_from_json(key: Column[Any], names: tuple[str, ...]) -> Executable:
    return _from_json(key.table, names).on_conflict_do_nothing(index_elements=key.table.primary_key).returning(key)


@cache
def _together(shapes: tuple[Shape, ...]) -> Executable:
    """WITH inserted_0 AS (INSERT …), inserted_1 AS (INSERT …) INSERT …"""
    *first, last = [_from_json(table, names) for table, names in shapes]
    return last.add_cte(*(each.cte(f"inserted_{number}") for number, each in enumerate(first)))


def _from_json(table: Table, names: tuple[str, ...]) -> postgresql.Insert:
    """INSERT … SELECT … FROM json_to_recordset(…): one text, prepared once, for any number of rows."""
    document = cast(bindparam(table.name, type_=Text), postgresql.JSON)
    columns = [column(name, table.c[name].type) for name in names]
    records = func.json_to_recordset(document).table_valued(*columns, name="records").render_derived(with_types=True)
    return postgresql.insert(table).from_select(names, select(*records.c))


def _json(rows: Sequence[Row]) -> str:
    # PostgreSQL reads UUIDs, dates and instants as Python writes them.
    return json.dumps([dict(row) for row in rows], default=str)

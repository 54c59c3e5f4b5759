"""Updates or deletes rows that an earlier query found, and skips those that another transaction has locked."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Delete, Row, Table, Update, bindparam, select


def change_unlocked(connection: Connection, change: Delete | Update, keys: Sequence[Row[Any]]) -> int:
    """Change those of the rows that no other transaction has locked; returns their number.

    The rows are given by their primary keys. The change says once more which rows are meant: they may have changed
    since they were found. One statement for each row, because an engine of several nodes locks rows of one shard only.
    """
    table = change.table
    assert isinstance(table, Table)
    columns, same = list(table.primary_key.columns), table.alias()
    names = [f"row_{column.key}" for column in columns]
    is_same = [same.c[column.key] == bindparam(name) for column, name in zip(columns, names, strict=True)]
    is_row = [column == bindparam(name) for column, name in zip(columns, names, strict=True)]
    free = select(same.c[columns[0].key]).where(*is_same).with_for_update(skip_locked=True)
    statement = change.where(*is_row, columns[0].in_(free))
    rows = [dict(zip(names, key, strict=True)) for key in keys]
    return connection.execute(statement, rows).rowcount if rows else 0

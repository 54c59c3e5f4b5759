"""Marks of how tables lie on an engine of several nodes, set where a table is declared (decision 0056).

Such an engine cuts a table into shards by the values of one column. It accepts a unique key only with that column, and
locks rows only for a statement that names one value of it.
"""

from typing import Any

from sqlalchemy import Column, Table

from registration.storage.personal import owned_rows

MARK = "distributed_by"
EVERYWHERE: dict[str, str | None] = {MARK: None}
"""The `info` of a small table that every node has whole."""


def by(column: str) -> dict[str, str | None]:
    """The `info` of a table that is cut into shards by a column."""
    return {MARK: column}


def distribution_column(table: Table) -> "Column[Any] | None":
    """The column that a table is cut by; None where every node has the whole table."""
    name = table.info[MARK]
    return None if name is None else table.c[name]


def group_of(table: Table) -> str:
    """The name of the table beside whose rows the rows of this one lie: `customer` for all of one customer.

    Statements may join tables of one group by the distribution columns.
    """
    rows = owned_rows(table)
    return "customer" if rows and rows.owner == table.info[MARK] else table.name

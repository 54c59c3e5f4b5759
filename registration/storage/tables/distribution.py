"""Marks of how tables lie on an engine of several nodes, set where a table is declared (decision 0056).

Such an engine cuts a table into shards by the values of one column. It accepts a unique key only with that column, and
locks rows only for a statement that names one value of it.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, UniqueConstraint

from registration.storage.personal import owned_rows

MARK = "distributed_by"
REFUSE_OLDER = "UPDATE installation SET oldest_revision = '0013' WHERE oldest_revision < '0013'"
"""Programs of before that revision cannot work on distributed tables."""
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


def missing_steps(connection: Connection, metadata: MetaData) -> list[str] | None:
    """The statements that distribute those tables that are not yet, in order; None where the database has no Citus.

    Each is to be run in a transaction of its own. They move the rows that are there. Prepared from the manual of Citus,
    which has not run here.
    """
    is_there = "SELECT to_regclass('pg_dist_partition') IS NOT NULL"
    if connection.dialect.name != "postgresql" or not connection.exec_driver_sql(is_there).scalar_one():
        return None
    found = connection.exec_driver_sql("SELECT logicalrelid::regclass::text FROM pg_dist_partition")
    done = set(found.scalars())
    return [step for name, steps in _steps(metadata) if name not in done for step in steps]


def _steps(metadata: MetaData) -> Iterator[tuple[str, list[str]]]:
    """By table. Alembic's own is on every node, too: without it a node is not ready."""
    yield "alembic_version", [REFUSE_OLDER, "SELECT create_reference_table('alembic_version')"]
    for table in metadata.tables.values():
        column = distribution_column(table)
        if column is None:
            yield table.name, [f"SELECT create_reference_table('{table.name}')"]
            continue
        beside = "none" if group_of(table) == table.name else group_of(table)
        cut = f"SELECT create_distributed_table('{table.name}', '{column.name}', colocate_with => '{beside}')"
        yield table.name, [*_drop_narrow(table, column.name), cut]


def _drop_narrow(table: Table, column: str) -> Iterator[str]:
    """Drop unique keys without the column; what was found by a unique constraint keeps an index."""
    for index in table.indexes:
        if index.unique and column not in index.columns:
            yield f"DROP INDEX IF EXISTS {index.name}"
    for key in table.constraints:
        if isinstance(key, UniqueConstraint) and column not in key.columns:
            names = [each.name for each in key.columns]
            yield f"ALTER TABLE {table.name} DROP CONSTRAINT IF EXISTS {key.name}"
            yield f"CREATE INDEX IF NOT EXISTS ix_{table.name}_{names[0]} ON {table.name} ({', '.join(names)})"

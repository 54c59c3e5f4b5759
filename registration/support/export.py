"""Everything about a person, as the marks of the tables tell it: for the rights to access and to portability."""

from typing import Any

from sqlalchemy import Column, Connection, Table, select

from registration.records.audit import AuditKind
from registration.services import Services
from registration.storage.column_types import Choice, Instant
from registration.storage.personal import Emptied, owned_rows
from registration.storage.tables import metadata
from registration.support.operator import Operator
from registration.support.search import by_reference

SAYS_WHAT = {"kind", "reference", "status"}
"""Columns without a person's data that say what a row is."""


def export(services: Services, operator: Operator, reference: str) -> dict[str, list[dict[str, Any]]] | None:
    """The customer's rows by table, as far as they say something about the person; None without such a customer."""

    def work(connection: Connection) -> dict[str, list[dict[str, Any]]] | None:
        row = by_reference(connection, reference)
        if row is None:
            return None
        operator.record(connection, services, AuditKind.OPERATOR_EXPORT, row.id)
        found = {
            table.name: _rows(connection, table, row.id) for table in metadata.tables.values() if owned_rows(table)
        }
        return {name: rows for name, rows in found.items() if rows}

    return services.database.write(work)


def _rows(connection: Connection, table: Table, customer_id: object) -> list[dict[str, Any]]:
    owner = owned_rows(table)
    assert owner
    columns = [column for column in table.columns if is_told(column)]
    rows = connection.execute(select(*columns).where(table.c[owner.owner] == customer_id)).all()
    return [dict(zip((column.name for column in columns), row, strict=True)) for row in rows]


def is_told(column: "Column[Any]") -> bool:
    """Personal data but a password's hash, choices, moments, and what a row is; keys and digests open something."""
    if "personal" in column.info:
        return column.info["personal"] is not Emptied.TEXT
    return isinstance(column.type, Instant | Choice) or column.name in SAYS_WHAT

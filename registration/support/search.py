"""Customers by reference, by address, or by the beginning of the last name; each by an index, a page at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, literal_column, select

from registration.records.audit import AuditKind
from registration.rules.address import email_key
from registration.rules.form import has_control_character
from registration.services import Services
from registration.storage.tables import IS_DECOY, customer, email_claim
from registration.support.operator import Operator

MOST = 50
LAST = "\U0010ffff"
"""Sorts behind everything that a name begins with."""


class Place(NamedTuple):
    """The last customer of a page: the next one begins behind."""

    last_name: str
    id: UUID


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of the table `customer`; `end` is None where no more follow."""

    rows: Sequence[Row[Any]] = field(repr=False)
    end: Place | None = field(default=None, repr=False)


def find(services: Services, operator: Operator, wanted: str, limit: int = MOST, after: Place | None = None) -> Page:
    """At most `limit` customers, those behind `after`.

    A text with @ is an address, one with -- a reference; anything else begins a last name, as it is written there or
    with a small first letter instead of a capital one. Names come in the order of their bytes, those with a capital
    letter first.
    """

    def work(connection: Connection) -> Page:
        operator.record(connection, services, AuditKind.OPERATOR_FIND, None)
        if has_control_character(wanted):  # some engines refuse such a text
            return Page([])
        if "@" in wanted:
            return Page(_by_address(connection, email_key(wanted) or ""))
        if "--" in wanted:
            found = by_reference(connection, wanted)
            return Page([found] if found else [])
        rows: list[Row[Any]] = []
        for statement in _by_name(connection, wanted, after):
            rows += connection.execute(statement.limit(limit + 1 - len(rows))).all()
            if len(rows) > limit:
                return Page(rows[:limit], Place(rows[limit - 1].last_name, rows[limit - 1].id))
        return Page(rows)

    return services.database.write(work)


def by_reference(connection: Connection, reference: str, *, locked: bool = False) -> Row[Any] | None:
    """The row of a customer, erased or not; None without one. With `locked` it stays so until commit."""
    if has_control_character(reference):
        return None
    row = connection.execute(select(customer).where(customer.c.reference == reference, ~IS_DECOY)).one_or_none()
    if row is None or not locked:
        return row
    # By the id, because an engine of several nodes locks rows of one shard only; a reference never changes.
    return connection.execute(select(customer).where(customer.c.id == row.id).with_for_update()).one_or_none()


def _by_address(connection: Connection, address: str) -> Sequence[Row[Any]]:
    """Two look-ups, because an address and its customer may lie on different nodes."""
    holders = connection.scalars(select(email_claim.c.customer_id).where(email_claim.c.address == address)).all()
    return connection.execute(select(customer).where(customer.c.id.in_(holders), ~IS_DECOY)).all()


def _by_name(connection: Connection, wanted: str, after: Place | None) -> Iterator[Select[Any]]:
    """Statements whose rows follow each other; each reads one range of the index, in its order."""
    names = Names(connection.dialect.name)
    for prefix in sorted({wanted[:1].upper() + wanted[1:], wanted}):
        end = names.compare("<", prefix + LAST)
        if after is None or after.last_name < prefix:
            yield names.in_order(names.compare(">=", prefix), end)
        elif after.last_name < prefix + LAST:
            yield names.in_order(customer.c.last_name == after.last_name, customer.c.id > after.id)
            yield names.in_order(names.compare(">", after.last_name), end)


@dataclass(frozen=True, slots=True)
class Names:
    """Last names by their bytes, whatever the collation of the database: the index is made for that."""

    dialect: str

    def compare(self, operator: str, text: str) -> ColumnElement[bool]:
        return customer.c.last_name.bool_op(self._by_bytes(operator))(text)

    def in_order(self, *conditions: ColumnElement[bool]) -> Select[Any]:
        """Customers by last name and id."""
        name = customer.c.last_name
        order = name if self.dialect == "sqlite" else name.op("USING")(literal_column(self._by_bytes("<")))
        return select(customer).where(*conditions, ~IS_DECOY).order_by(order, customer.c.id)

    def _by_bytes(self, operator: str) -> str:
        return operator if self.dialect == "sqlite" else f"~{operator}~"

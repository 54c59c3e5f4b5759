"""Customers by reference, by address, or by the beginning of the last name; each by an index."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from registration.records.audit import AuditKind
from registration.rules.address import email_key
from registration.services import Services
from registration.storage.tables import IS_DECOY, customer, email_claim
from registration.support.operator import Operator

MOST = 50
LAST = "\U0010ffff"
"""Sorts behind everything that a name begins with."""


def find(services: Services, operator: Operator, wanted: str, limit: int = MOST) -> Sequence[Row[Any]]:
    """Rows of the table `customer`, at most `limit`.

    A text with @ is an address, one with -- a reference; anything else begins a last name, as it is written there or
    with a small first letter instead of a capital one.
    """

    def work(connection: Connection) -> Sequence[Row[Any]]:
        operator.record(connection, services, AuditKind.OPERATOR_FIND, None)
        if "@" in wanted:
            return _by_address(connection, email_key(wanted) or "")
        return connection.execute(select(customer).where(_is_wanted(connection, wanted), ~IS_DECOY).limit(limit)).all()

    return services.database.write(work)


def by_reference(connection: Connection, reference: str, *, locked: bool = False) -> Row[Any] | None:
    """The row of a customer, erased or not; None without one. With `locked` it stays so until commit."""
    row = connection.execute(select(customer).where(customer.c.reference == reference, ~IS_DECOY)).one_or_none()
    if row is None or not locked:
        return row
    # By the id, because an engine of several nodes locks rows of one shard only; a reference never changes.
    return connection.execute(select(customer).where(customer.c.id == row.id).with_for_update()).one_or_none()


def _by_address(connection: Connection, address: str) -> Sequence[Row[Any]]:
    """Two look-ups, because an address and its customer may lie on different nodes."""
    holders = connection.scalars(select(email_claim.c.customer_id).where(email_claim.c.address == address)).all()
    return connection.execute(select(customer).where(customer.c.id.in_(holders), ~IS_DECOY)).all()


def _is_wanted(connection: Connection, wanted: str) -> ColumnElement[bool]:
    if "--" in wanted:
        return customer.c.reference == wanted
    return begins(connection, wanted) | begins(connection, wanted[:1].upper() + wanted[1:])


def begins(connection: Connection, prefix: str) -> ColumnElement[bool]:
    """By bytes, whatever the collation of the database: the index is made for that."""
    if connection.dialect.name == "sqlite":
        return (customer.c.last_name >= prefix) & (customer.c.last_name < prefix + LAST)
    name = customer.c.last_name
    return name.op("~>=~", is_comparison=True)(prefix) & name.op("~<~", is_comparison=True)(func.concat(prefix, LAST))

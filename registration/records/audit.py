"""The audit trail: who did what, when, from where; append-only, and it never holds a secret."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, insert, select, update

from registration.services import Services
from registration.storage.inserts import Inserting
from registration.storage.tables import IS_SHADOW, audit, customer

INSERT = insert(audit)


class AuditKind(StrEnum):
    """What is recorded."""

    SIGN_UP = "sign-up"
    SIGN_UP_REPEATED = "sign-up repeated"
    CONFIRM = "confirm"
    DISOWN = "disown"
    SIGN_IN = "sign-in"
    SIGN_IN_FAILURE = "sign-in failure"
    SIGN_OUT = "sign-out"
    LOCK_OUT = "lock-out"
    RESET_REQUEST = "reset request"
    RESET = "reset"
    PASSWORD_CHANGE = "password change"
    PROFILE_CHANGE = "profile change"
    EMAIL_CHANGE_REQUEST = "email change request"
    EMAIL_CHANGE = "email change"
    TOKEN_REUSE = "token reuse"
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Entry:
    """What an operator sees of a record; `client_address` is None where it is not known, or not any more."""

    created_at: datetime
    kind: str
    client_address: str | None


def record(
    connection: Inserting,
    services: Services,
    kind: AuditKind,
    customer_id: UUID | None,
    now: datetime,
    *,
    client_address: str | None = None,
    address: str | None = None,
) -> None:
    """Write a row inside the caller's transaction.

    `address` is what was typed where no customer is known by it, and after a change of address the former one.
    """
    row = {
        "id": services.new_id(),
        "kind": kind,
        "customer_id": customer_id,
        # An IPv6 address can be followed by the name of a zone, as long as its sender likes.
        "client_address": client_address[:64] if client_address else None,
        "address": address and address[:320],
        "created_at": now,
    }
    connection.execute(INSERT, row)


def forget_person(connection: Connection, customer_id: UUID, address: str) -> None:
    """Null what names a person, for erasure; the rows stay."""
    connection.execute(
        update(audit)
        .where((audit.c.customer_id == customer_id) | (audit.c.address == address))
        .values(client_address=None, address=None)
    )


def forget_address(connection: Connection, address: str) -> None:
    """Null an address where nobody was known by it."""
    is_strangers = (audit.c.address == address) & audit.c.customer_id.is_(None)
    connection.execute(update(audit).where(is_strangers).values(address=None))


def forget_strangers(connection: Connection, before: datetime, limit: int) -> int:
    """Null what names people who are no customers, in at most `limit` rows older than that; in how many."""
    is_over = audit.c.customer_id.is_(None) & audit.c.address.is_not(None) & (audit.c.created_at < before)
    over = select(audit.c.id).where(is_over).limit(limit).with_for_update(skip_locked=True)
    ids = connection.scalars(over).all()
    nulled = update(audit).where(audit.c.id.in_(ids)).values(client_address=None, address=None)
    return connection.execute(nulled).rowcount if ids else 0


def former_addresses(connection: Connection, customer_id: UUID) -> Sequence[str]:
    """Those that a customer has had before, as they are compared."""
    is_former = (audit.c.customer_id == customer_id) & audit.c.address.is_not(None)
    return connection.scalars(select(audit.c.address).where(is_former).distinct()).all()


def trail(connection: Connection, reference: str) -> list[Entry] | None:
    """Everything recorded of a customer, erased or not, the oldest first; None if the reference is nobody's."""
    customer_id = connection.execute(
        select(customer.c.id).where(customer.c.reference == reference, ~IS_SHADOW)
    ).scalar_one_or_none()
    if customer_id is None:
        return None
    rows = connection.execute(
        select(audit.c.created_at, audit.c.kind, audit.c.client_address)
        .where(audit.c.customer_id == customer_id)
        .order_by(audit.c.created_at)
    )
    return [Entry(row.created_at, row.kind, row.client_address) for row in rows]

"""Idempotency keys: the same key with the same input has one outcome for a day; no key, input or answer is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, select, update

from registration.keys.secret import Secret
from registration.storage.database import insert_new
from registration.storage.tables import idempotency

LIFETIME = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A key and what it was used with, both as values under the installation's secret.

    A reader of the database cannot test passwords against the fingerprint, which needs the secret.
    """

    key: str = field(repr=False)
    fingerprint: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Record:
    """What happened at the first use, at that moment; `customer_id` is None when no row of a customer came of it."""

    same_input: bool
    customer_id: UUID | None
    used_at: datetime


def ticket_of(secret: Secret, operation: str, key: str, given: Mapping[str, object]) -> Ticket:
    """The ticket for an operation's input, given by name; every value must have a text that tells it from others."""
    parts = [f"{name}={value!s}" for name, value in given.items()]
    return Ticket(
        key=secret.derive("idempotency key", operation, key),
        fingerprint=secret.derive("idempotency input", operation, *parts),
    )


def recall(connection: Connection, ticket: Ticket, now: datetime) -> Record | None:
    """The record of an earlier use; None when there is none, or it has expired."""
    found = connection.execute(select(idempotency).where(idempotency.c.key == ticket.key)).one_or_none()
    return None if found is None or found.expires_at <= now else _record_of(found, ticket)


def begin(connection: Connection, ticket: Ticket, now: datetime) -> Record | None:
    """Reserve the ticket inside the caller's transaction; None at its first use, else the record of that.

    Waits for a transaction that reserves the same ticket. The record says that no customer came of it, unless `finish`
    names one.
    """
    connection.execute(delete(idempotency).where(idempotency.c.key == ticket.key, idempotency.c.expires_at <= now))
    row = {"key": ticket.key, "fingerprint": ticket.fingerprint, "expires_at": now + LIFETIME}
    return None if insert_new(connection, idempotency, row) else recall(connection, ticket, now)


def finish(connection: Connection, ticket: Ticket, customer_id: UUID) -> None:
    """Write the customer, or the decoy, into the record that `begin` reserved."""
    connection.execute(update(idempotency).where(idempotency.c.key == ticket.key).values(customer_id=customer_id))


def _record_of(row: Row[Any], ticket: Ticket) -> Record:
    return Record(row.fingerprint == ticket.fingerprint, row.customer_id, row.expires_at - LIFETIME)

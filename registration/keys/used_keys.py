"""Keys of mailed links that were used a short time ago: the page of such a link says again what came of it.

Otherwise a reader who follows the link again, goes back or loads the page again would read that the link is not valid.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, insert, select

from registration.customer import Customer, customer_of
from registration.keys.link_keys import digest
from registration.storage.database import Database
from registration.storage.tables import customer, used_key

REMEMBERED = timedelta(days=1)


class KeyKind(StrEnum):
    """What a key was for."""

    CONFIRMATION = "confirmation"
    DISOWNED = "disowned"
    """A confirmation key by which "this was not me" erased the sign-up: its customer is gone."""
    RESET = "reset"
    EMAIL_CHANGE = "email_change"
    EMAIL_TAKEN = "email_taken"
    """A change of address that found the new address taken."""
    ALERT = "alert"
    ALERT_TAKEN = "alert_taken"
    """An account that was secured, but its former address belongs to another one: no mail went out."""


def remember_used(
    connection: Connection, kind: KeyKind, customer_id: UUID, digests: Iterable[str], now: datetime
) -> None:
    """Remember for a day, inside the caller's transaction, that keys were used; they are given by their digests."""
    for each in digests:
        row = {"digest": each, "kind": kind, "customer_id": customer_id, "expires_at": now + REMEMBERED}
        connection.execute(insert(used_key), row)


def was_used(database: Database, kind: KeyKind, key: str, now: datetime) -> bool:
    """Whether a key was used in the last day; also where its customer is gone."""
    found = select(used_key.c.digest).where(_is_used(kind, key, now))
    return database.read(lambda connection: connection.execute(found).one_or_none()) is not None


def customer_of_used_key(database: Database, kind: KeyKind, key: str, now: datetime) -> Customer | None:
    """The customer who used a key in the last day; None for any other key."""
    is_used = _is_used(kind, key, now)

    def look(connection: Connection) -> Customer | None:
        owner = connection.scalars(select(used_key.c.customer_id).where(is_used)).one_or_none()
        if owner is None:
            return None
        row = connection.execute(select(customer).where(customer.c.id == owner)).one_or_none()
        return None if row is None else customer_of(row)

    return database.read(look)


def _is_used(kind: KeyKind, key: str, now: datetime) -> ColumnElement[bool]:
    return (used_key.c.digest == digest(key)) & (used_key.c.kind == kind) & (used_key.c.expires_at > now)

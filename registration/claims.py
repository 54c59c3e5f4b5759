"""Who holds an address: one account at a time, as the database decides; it never looks at how it was typed."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from registration.confirmation import erase_pending, is_pending
from registration.database import insert_new
from registration.tables import customer, email_claim


def holder_of(connection: Connection, address: str) -> UUID | None:
    """The account that holds an address, given as its key."""
    return connection.execute(
        select(email_claim.c.customer_id).where(email_claim.c.address == address)
    ).scalar_one_or_none()


def claim(connection: Connection, address: str, customer_id: UUID, now: datetime) -> bool:
    """Take an address, unless another account holds it that is confirmed or whose confirmation can still be used."""
    if insert_new(connection, email_claim, {"address": address, "customer_id": customer_id}):
        return True
    holder = connection.execute(
        select(email_claim.c.customer_id).where(email_claim.c.address == address).with_for_update()
    ).scalar_one_or_none()
    if holder is None:  # given up by its holder between the two statements
        return claim(connection, address, customer_id, now)
    if holder == customer_id:
        return True
    if is_pending(connection, holder, now) or not erase_pending(connection, holder):
        return False
    return claim(connection, address, customer_id, now)


def is_taken(connection: Connection, address: str, customer_id: UUID, now: datetime) -> bool:
    """Whether `claim` would fail now."""
    holder = connection.execute(
        select(email_claim.c.customer_id, customer.c.confirmed_at)
        .join(customer, customer.c.id == email_claim.c.customer_id)
        .where(email_claim.c.address == address, email_claim.c.customer_id != customer_id)
    ).one_or_none()
    return holder is not None and (holder.confirmed_at is not None or is_pending(connection, holder.customer_id, now))

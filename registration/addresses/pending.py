"""Pending accounts: sign-ups whose address is not confirmed yet."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, exists, select

from registration.addresses.holders import NOBODY
from registration.records import audit
from registration.storage.tables import confirmation_token, customer, email_claim, idempotency, mail, reset_token


def is_pending(connection: Connection, customer_id: UUID, now: datetime) -> bool:
    """Whether a key of the customer can still be used."""
    return bool(
        connection.execute(
            select(
                exists().where(confirmation_token.c.customer_id == customer_id, confirmation_token.c.expires_at > now)
            )
        ).scalar_one()
    )


def erase_pending(connection: Connection, customer_id: UUID, *, evenly: bool = False) -> bool:
    """Delete an account that was never confirmed, with all that belongs to it; false if it is confirmed or gone.

    Done `evenly`, it takes the same statements when there is nothing to delete.
    """
    erased = connection.execute(delete(customer).where(customer.c.id == customer_id, customer.c.confirmed_at.is_(None)))
    is_erased = erased.rowcount == 1
    if not is_erased and not evenly:
        return False
    owner = customer_id if is_erased else NOBODY
    addresses = connection.scalars(select(email_claim.c.address).where(email_claim.c.customer_id == owner)).all()
    for address in addresses or [""]:
        audit.forget_person(connection, owner, address)
    for table in (email_claim, confirmation_token, reset_token, mail, idempotency):
        connection.execute(delete(table).where(table.c.customer_id == owner))
    return is_erased

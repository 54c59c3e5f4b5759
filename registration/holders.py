"""Who holds an address, found in the same time whether or not anybody does; it never changes who."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, exists, select

from registration.tables import confirmation_token, customer, email_claim


@dataclass(frozen=True, slots=True)
class Holder:
    """An account that holds an address; `is_firm` when it does not give way to another one that claims the address."""

    id: UUID
    is_confirmed: bool
    is_firm: bool


def find_holder(connection: Connection, address: str, now: datetime) -> Holder | None:
    """The account that holds an address, given as its key.

    The account with the next address is read where nobody holds it, so that as many pages are fetched: in a large
    database the ones of a known address come from the disk.
    """
    at = select(email_claim).where(email_claim.c.address >= address).order_by(email_claim.c.address).limit(1).subquery()
    key_is_good = exists().where(
        confirmation_token.c.customer_id == at.c.customer_id, confirmation_token.c.expires_at > now
    )
    nearest = connection.execute(
        select(at, customer.c.confirmed_at, key_is_good.label("key_is_good")).outerjoin_from(
            at, customer, customer.c.id == at.c.customer_id
        )
    ).one_or_none()
    if nearest is None or nearest.address != address:
        return None
    is_confirmed = nearest.confirmed_at is not None
    return Holder(nearest.customer_id, is_confirmed, is_confirmed or nearest.key_is_good)

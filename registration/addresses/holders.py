"""Who holds an address, found and kept in the same time whether or not anybody does; it never changes who."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, exists, select

from registration.storage.tables import confirmation_token, customer, email_claim

# The nil UUID is no random one, so no account has it.
NOBODY = UUID(int=0)


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


def keep(connection: Connection, holder: Holder | None) -> Holder | None:
    """As `stays`, for who holds an address; None if the account is erased already."""
    return holder if stays(connection, holder.id if holder else None) else None


def stays(connection: Connection, customer_id: UUID | None) -> bool:
    """Make who would erase the account wait until the caller's transaction has ended; false if it is erased already.

    Otherwise something could be written for an account that is gone. Nobody's id takes as long to look up.
    """
    is_there = (customer.c.id == (customer_id or NOBODY)) & customer.c.anonymized_at.is_(None)
    lock = select(customer.c.id).where(is_there).with_for_update(read=True, key_share=True)
    return connection.execute(lock).one_or_none() is not None

"""Holders: which account has an address. A look-up costs the same whether or not there is one (decision 0013)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, exists, select

from registration.storage.tables import confirmation_token, customer, email_claim

# The nil UUID is not a random one, so no account has it.
NO_CUSTOMER = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Holder:
    """An account that holds an address.

    `is_firm` when it keeps the address although another account claims it: it is confirmed, or can still be confirmed.
    """

    id: UUID
    is_confirmed: bool
    is_firm: bool


def find_holder(connection: Connection, email_key: str, now: datetime) -> Holder | None:
    """The account that holds an address, given as its key; None when there is none."""
    nearest = nearest_claim(connection, email_key, now)
    if nearest is None or nearest.address != email_key:
        return None
    is_confirmed = nearest.confirmed_at is not None
    return Holder(nearest.customer_id, is_confirmed, is_confirmed or nearest.can_be_confirmed)


def nearest_claim(connection: Connection, email_key: str, now: datetime) -> Row[Any] | None:
    """The claim of this address or, where no account holds it, of the next one in alphabetical order, with its account.

    An unknown address thus fetches as many pages as a known one, which in a large database come from the disk:
    otherwise the time would tell which addresses are known. None only past the last claim.
    """
    at = (
        select(email_claim)
        .where(email_claim.c.address >= email_key)
        .order_by(email_claim.c.address)
        .limit(1)
        .subquery()
    )
    can_be_confirmed = exists().where(
        confirmation_token.c.customer_id == at.c.customer_id, confirmation_token.c.expires_at > now
    )
    return connection.execute(
        select(at, customer.c.confirmed_at, can_be_confirmed.label("can_be_confirmed")).outerjoin_from(
            at, customer, customer.c.id == at.c.customer_id
        )
    ).one_or_none()


def lock_holder(connection: Connection, holder: Holder | None) -> Holder | None:
    """Call `lock_if_present` for the holder of an address; the holder, or None if its account is erased already."""
    return holder if lock_if_present(connection, holder.id if holder else None) else None


def lock_if_present(connection: Connection, customer_id: UUID | None) -> bool:
    """Lock the customer's row against erasure until commit; False if already erased. Takes the same time for None.

    Without the lock, rows could be written for an account that is gone.
    """
    is_there = (customer.c.id == (customer_id or NO_CUSTOMER)) & customer.c.anonymized_at.is_(None)
    lock = select(customer.c.id).where(is_there).with_for_update(read=True, key_share=True)
    return connection.execute(lock).one_or_none() is not None

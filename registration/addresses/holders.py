"""Holders: which account has an address. A look-up costs the same whether or not there is one (decision 0013)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, bindparam, exists, select

from registration.storage.tables import confirmation_token, customer, email_claim

# The nil UUID is not a random one, so no account has it.
NO_CUSTOMER = UUID(int=0)
# Built once, because building takes as long as running it.
PRESENT = (
    select(customer.c.id)
    .where(customer.c.id == bindparam("wanted"), customer.c.anonymized_at.is_(None))
    .with_for_update(read=True, key_share=True)
)


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
    nearest = nearest_claim(connection, email_key)
    # Looked up in any case, and apart from the claim, because it may lie on another node.
    account = connection.execute(_account(nearest.customer_id if nearest else NO_CUSTOMER, now)).one()
    if nearest is None or nearest.address != email_key:
        return None
    is_confirmed = account.confirmed_at is not None
    return Holder(nearest.customer_id, is_confirmed, is_confirmed or account.can_be_confirmed)


def nearest_claim(connection: Connection, email_key: str) -> Row[Any] | None:
    """The claim of this address or, where no account holds it, of the next one in alphabetical order.

    With the account of that claim, an unknown address thus fetches as many pages as a known one, which in a large
    database come from the disk: otherwise the time would tell which addresses are known. None only past the last claim.
    """
    claims = select(email_claim).where(email_claim.c.address >= email_key).order_by(email_claim.c.address)
    return connection.execute(claims.limit(1)).one_or_none()


def _account(customer_id: UUID, now: datetime) -> Select[Any]:
    """One row in any case: when the account was confirmed, and whether it has a key that still confirms it."""
    confirmed_at = select(customer.c.confirmed_at).where(customer.c.id == customer_id).scalar_subquery()
    can_be_confirmed = exists().where(
        confirmation_token.c.customer_id == customer_id, confirmation_token.c.expires_at > now
    )
    return select(confirmed_at.label("confirmed_at"), can_be_confirmed.label("can_be_confirmed"))


def lock_holder(connection: Connection, holder: Holder | None) -> Holder | None:
    """Call `lock_if_present` for the holder of an address; the holder, or None if its account is erased already."""
    return holder if lock_if_present(connection, holder.id if holder else None) else None


def lock_if_present(connection: Connection, customer_id: UUID | None) -> bool:
    """Lock the customer's row against erasure until commit; False if already erased. Takes the same time for None.

    Without the lock, rows could be written for an account that is gone.
    """
    return connection.execute(PRESENT, {"wanted": customer_id or NO_CUSTOMER}).one_or_none() is not None

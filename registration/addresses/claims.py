"""Claims: one account at a time holds an address, given as its key; the primary key of `email_claim` decides."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from registration.addresses.decoys import decoy_address
from registration.addresses.holders import NO_CUSTOMER, find_holder, lock_holder
from registration.addresses.pending import erase_pending, is_pending
from registration.storage.database import insert_new
from registration.storage.inserts import conflict_insert
from registration.storage.tables import email_claim


def claim(connection: Connection, email_key: str, customer_id: UUID, now: datetime) -> bool:
    """Claim an address; False when another account holds it that is confirmed, or can still be confirmed.

    Erases an account that cannot be confirmed any more. Waits for a transaction that claims the address, and locks a
    claim that is there until the caller's transaction ends.
    """
    if insert_new(connection, email_claim, {"address": email_key, "customer_id": customer_id}):
        return True
    holder = connection.execute(
        select(email_claim.c.customer_id).where(email_claim.c.address == email_key).with_for_update()
    ).scalar_one_or_none()
    if holder is None:  # released between the two statements
        return claim(connection, email_key, customer_id, now)
    if holder == customer_id:
        return True
    if is_pending(connection, holder, now) or not erase_pending(connection, holder):
        return False
    return claim(connection, email_key, customer_id, now)


def claim_with_uniform_work(connection: Connection, email_key: str, customer_id: UUID, now: datetime) -> UUID:
    """As `claim`, with the same statements whether or not another account has the address; returns the holder's id.

    The order of the steps is the feature: each runs in every case, with values that find nothing where there is nothing
    to do. The loser claims a decoy address, so both outcomes insert the same number of rows.
    """
    holder = find_holder(connection, email_key, now)
    if holder and holder.id == customer_id:  # this transaction runs again after its commit was not acknowledged
        return customer_id
    # 1. Erase the account that gives way; without one, the rows of no customer.
    erase_pending(connection, holder.id if holder and not holder.is_firm else NO_CUSTOMER, uniform_work=True)
    # 2. Lock the account that stays; after step 1, none where it was erased.
    holder = lock_holder(connection, holder)
    # 3. Claim the address or, where it is held, a decoy address.
    first = _upsert_claim(connection, decoy_address(customer_id) if holder else email_key, customer_id)
    if first != customer_id:  # another transaction claimed it between step 1 and step 3
        _upsert_claim(connection, decoy_address(customer_id), customer_id)
        return first
    return holder.id if holder else customer_id


def _upsert_claim(connection: Connection, email_key: str, customer_id: UUID) -> UUID:
    """Claim an address unless it is claimed; returns the holder's id. Waits for a transaction that claims it."""
    statement = conflict_insert(email_claim, connection.dialect.name).values(address=email_key, customer_id=customer_id)
    # An update that changes nothing, because only a row that was written is returned.
    same = {"address": statement.excluded.address}
    upsert = statement.on_conflict_do_update(index_elements=email_claim.primary_key, set_=same)
    holder: UUID = connection.execute(upsert.returning(email_claim.c.customer_id)).scalar_one()
    return holder

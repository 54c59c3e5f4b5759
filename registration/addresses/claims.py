"""Claims: an address is one account's at a time, as the database decides; it never looks at how it was typed."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from registration.addresses.decoys import shadow_address
from registration.addresses.holders import NOBODY, find_holder, keep
from registration.addresses.pending import erase_pending, is_pending
from registration.storage.database import insert_new
from registration.storage.tables import email_claim


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


def claim_evenly(connection: Connection, address: str, customer_id: UUID, now: datetime) -> UUID:
    """As `claim`, but with the same statements whoever holds the address; who holds it from now on.

    Who does not get the address gets one of nobody's, so that the number of rows is the same, too.
    """
    holder = find_holder(connection, address, now)
    if holder and holder.id == customer_id:  # the database runs the transaction again
        return customer_id
    erase_pending(connection, holder.id if holder and not holder.is_firm else NOBODY, evenly=True)
    holder = keep(connection, holder)
    own = shadow_address(customer_id) if holder else address
    first = _hold(connection, own, customer_id)
    if first != customer_id:  # somebody was faster
        _hold(connection, shadow_address(customer_id), customer_id)
        return first
    return holder.id if holder else customer_id


def _hold(connection: Connection, address: str, customer_id: UUID) -> UUID:
    """Take an address unless somebody holds it; who holds it then. Waits for the transaction that takes it."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(email_claim).values(address=address, customer_id=customer_id)
    # An update that changes nothing, because only a row that was written is returned.
    same = {"address": statement.excluded.address}
    upsert = statement.on_conflict_do_update(index_elements=email_claim.primary_key, set_=same)
    holder: UUID = connection.execute(upsert.returning(email_claim.c.customer_id)).scalar_one()
    return holder

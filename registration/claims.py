"""Claims: an address is one account's at a time, as the database decides; it never looks at how it was typed."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from registration.confirmation import NOBODY, erase_pending, is_pending
from registration.database import insert_new
from registration.holders import find_holder
from registration.shadows import shadow_address
from registration.tables import email_claim


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
    if erase_pending(connection, holder.id if holder and not holder.is_firm else NOBODY, evenly=True):
        holder = None
    own = shadow_address(customer_id) if holder else address
    if not insert_new(connection, email_claim, {"address": own, "customer_id": customer_id}) and not holder:
        return claim_evenly(connection, address, customer_id, now)  # somebody was faster
    return holder.id if holder else customer_id

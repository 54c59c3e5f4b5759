"""Who holds an address: one account at a time, as the database decides; it never looks at how it was typed."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, exists, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from registration.confirmation import NOBODY, erase_pending, is_pending
from registration.database import insert_new
from registration.shadows import shadow_address
from registration.tables import confirmation_token, customer, email_claim


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


def claim_evenly(connection: Connection, address: str, customer_id: UUID, now: datetime) -> UUID:
    """As `claim`, but with the same statements whoever holds the address; who has it from now on.

    Who does not get the address gets one of nobody's, so that the number of rows is the same, too.
    """
    holder = _hold(connection, address, customer_id)
    taker = taken_by(connection, address, customer_id, now)
    gives_way = holder if taker is None and holder != customer_id else NOBODY
    if erase_pending(connection, gives_way, evenly=True):
        holder = customer_id
    _hold(connection, address if holder == customer_id else shadow_address(customer_id), customer_id)
    return holder


def taken_by(connection: Connection, address: str, customer_id: UUID, now: datetime) -> UUID | None:
    """The account because of which `claim` would fail now."""
    key_is_good = exists().where(
        confirmation_token.c.customer_id == customer.c.id, confirmation_token.c.expires_at > now
    )
    return connection.execute(
        select(customer.c.id)
        .join(email_claim, email_claim.c.customer_id == customer.c.id)
        .where(
            email_claim.c.address == address,
            customer.c.id != customer_id,
            or_(customer.c.confirmed_at.is_not(None), key_is_good),
        )
    ).scalar_one_or_none()


def _hold(connection: Connection, address: str, customer_id: UUID) -> UUID:
    """Take an address if nobody holds it; who holds it, and keeps it until the transaction ends."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(email_claim).values(address=address, customer_id=customer_id)
    # An update that changes nothing locks the row, and is the one way to have it returned.
    same = {"address": statement.excluded.address}
    upsert = statement.on_conflict_do_update(index_elements=email_claim.primary_key, set_=same)
    holder: UUID = connection.execute(upsert.returning(email_claim.c.customer_id)).scalar_one()
    return holder

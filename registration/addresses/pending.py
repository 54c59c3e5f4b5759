"""Pending accounts: sign-ups whose address is not confirmed yet."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, exists, func, select

from registration.addresses.holders import NO_CUSTOMER
from registration.records import audit
from registration.storage.personal import deleted_tables
from registration.storage.tables import confirmation_token, customer, email_claim, metadata

CODE_ATTEMPTS = 5


def has_live_code(now: datetime) -> ColumnElement[bool]:
    """Whether a row of the table `confirmation_token` has a code that confirms."""
    token = confirmation_token.c
    has_attempts = func.coalesce(token.code_failures, 0) < CODE_ATTEMPTS
    return token.code.is_not(None) & has_attempts & (token.expires_at > now)


def is_pending(connection: Connection, customer_id: UUID, now: datetime) -> bool:
    """Whether the customer has a confirmation key that has not expired."""
    is_usable = (confirmation_token.c.customer_id == customer_id) & (confirmation_token.c.expires_at > now)
    return bool(connection.execute(select(exists().where(is_usable))).scalar_one())


def expired_accounts(connection: Connection, before: datetime, limit: int) -> Sequence[UUID]:
    """At most `limit` unconfirmed accounts whose last confirmation key expired before that moment; locks them.

    Skips those that another transaction has locked. An account without any key counts from the sign-up.
    """
    is_unconfirmed = customer.c.confirmed_at.is_(None) & customer.c.anonymized_at.is_(None)
    has_later_key = exists().where(
        confirmation_token.c.customer_id == customer.c.id, confirmation_token.c.expires_at >= before
    )
    is_over = is_unconfirmed & (customer.c.created_at < before) & ~has_later_key
    found = connection.scalars(select(customer.c.id).where(is_over).limit(limit)).all()
    return [each for each in found if _is_over_still(connection, each, is_over)]


def _is_over_still(connection: Connection, customer_id: UUID, is_over: ColumnElement[bool]) -> bool:
    """Lock one account, because an engine of several nodes locks rows of one shard only; False if it is locked."""
    same = select(customer.c.id).where(customer.c.id == customer_id)
    if connection.execute(same.with_for_update(skip_locked=True)).one_or_none() is None:
        return False
    # Asked again, because a new key can have been written before the lock.
    return connection.execute(same.where(is_over)).one_or_none() is not None


def erase_pending(connection: Connection, customer_id: UUID, *, uniform_work: bool = False) -> bool:
    """Delete an account that is not confirmed, with all that belongs to it, inside the caller's transaction.

    False if the account is confirmed or gone. With `uniform_work`, the same statements run when there is nothing to
    delete.
    """
    erased = connection.execute(delete(customer).where(customer.c.id == customer_id, customer.c.confirmed_at.is_(None)))
    is_erased = erased.rowcount == 1
    if not is_erased and not uniform_work:
        return False
    owner = customer_id if is_erased else NO_CUSTOMER
    addresses = connection.scalars(select(email_claim.c.address).where(email_claim.c.customer_id == owner)).all()
    for address in addresses or [""]:
        audit.forget_person(connection, owner, address)
    for table in deleted_tables(metadata, pending=True):
        connection.execute(delete(table).where(table.c.customer_id == owner))
    return is_erased

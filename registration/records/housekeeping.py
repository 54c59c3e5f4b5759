"""Housekeeping: deletes expired rows, and decoys from the table `customer`."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, select

from registration.records import audit
from registration.storage.tables import (
    IS_DECOY,
    attempt,
    confirmation_token,
    customer,
    email_change,
    email_claim,
    idempotency,
    mail,
    refresh_token,
    reset_token,
    session,
    used_key,
)

# Long enough for an operator to look into what became of a mail or a session.
KEPT = timedelta(days=30)


def tidy_up(connection: Connection, now: datetime, limit: int) -> int:
    """Delete or empty at most `limit` rows of each table; returns how many, so that the caller can go on.

    Skips rows that another transaction has locked.
    """
    deleted = sum(_forget(connection, table, over, limit) for table, over in _over(now))
    return deleted + audit.forget_strangers(connection, now - KEPT, limit)


def _over(now: datetime) -> list[tuple[Table, ColumnElement[bool]]]:
    return [
        (mail, mail.c.settled_at < now - KEPT),
        (attempt, attempt.c.window_ends_at <= now),
        (idempotency, idempotency.c.expires_at <= now),
        (confirmation_token, confirmation_token.c.expires_at < now - KEPT),
        (reset_token, reset_token.c.expires_at < now - KEPT),
        (email_change, email_change.c.expires_at < now - KEPT),
        (used_key, used_key.c.expires_at <= now),
        (refresh_token, refresh_token.c.expires_at < now - KEPT),
        (session, (session.c.created_at < now - KEPT) & ~exists().where(refresh_token.c.session_id == session.c.id)),
        (email_claim, email_claim.c.customer_id.in_(select(customer.c.id).where(IS_DECOY))),
        (customer, IS_DECOY & ~exists().where(email_claim.c.customer_id == customer.c.id)),
    ]


def _forget(connection: Connection, table: Table, is_over: ColumnElement[bool], limit: int) -> int:
    (key,) = table.primary_key.columns
    keys = connection.scalars(select(key).where(is_over).limit(limit).with_for_update(skip_locked=True)).all()
    return connection.execute(delete(table).where(key.in_(keys))).rowcount if keys else 0

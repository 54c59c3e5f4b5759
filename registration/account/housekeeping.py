"""Housekeeping: brings mails forward, erases expired accounts, deletes expired rows and decoys, empties audit rows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, select, update

from registration.addresses.decoys import decoy_address
from registration.addresses.pending import erase_pending, expired_accounts
from registration.mail.outbox import BUCKETS, IS_WAITING
from registration.records.audit import forget_strangers
from registration.records.events import EventKind, record_event
from registration.records.ledger import Ledger
from registration.storage.personal import KEPT
from registration.storage.slices import change_unlocked
from registration.storage.tables import (
    IS_DECOY,
    alert_token,
    attempt,
    audit,
    confirmation_token,
    customer,
    email_change,
    email_claim,
    event,
    export_token,
    idempotency,
    mail,
    refresh_token,
    reset_token,
    session,
    used_key,
)

ACCOUNTS_FOR_ROWS = 10
"""Erasing an account takes as many statements as some rows take time to delete."""


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """How long rows stay: `pending` accounts after their last key expired, `audit` rows and `events` from the start.

    `session` is the longest time that a session can last.
    """

    pending: timedelta
    audit: timedelta
    events: timedelta
    session: timedelta
    new_id: Callable[[], UUID]
    ledger: Ledger

    def tidy_up(self, connection: Connection, now: datetime, limit: int) -> int:
        """Change or delete at most `limit` rows, all of one table; returns how many, 0 when there is nothing to do.

        One call is short, so that the caller can do other things between two. Skips rows that another transaction has
        locked.
        """
        if count := _bring_mails_forward(connection, now, limit):
            return count
        if count := self._erase_accounts(connection, now, max(1, limit // ACCOUNTS_FOR_ROWS)):
            return count
        for table, is_over in self._over(now):
            if count := _forget(connection, table, is_over, limit):
                return count
        return _forget_decoys(connection, limit) or forget_strangers(connection, now - KEPT, limit)

    def _erase_accounts(self, connection: Connection, now: datetime, limit: int) -> int:
        expired = expired_accounts(connection, now - self.pending, limit)
        for customer_id in expired:
            erase_pending(connection, customer_id)
            record_event(connection, self.new_id(), EventKind.EXPIRED, customer_id, now)
        if expired:
            self.ledger.record(expired, now)
        return len(expired)

    def _over(self, now: datetime) -> list[tuple[Table, ColumnElement[bool]]]:
        is_of_session = refresh_token.c.customer_id == session.c.customer_id
        has_token = exists().where(is_of_session, refresh_token.c.session_id == session.c.id)
        return [
            (mail, mail.c.settled_at < now - KEPT),
            (attempt, attempt.c.window_ends_at <= now),
            (idempotency, idempotency.c.expires_at <= now),
            (confirmation_token, confirmation_token.c.expires_at < now - self.pending),
            (reset_token, reset_token.c.expires_at < now - KEPT),
            (email_change, email_change.c.expires_at < now - KEPT),
            (export_token, export_token.c.expires_at < now - KEPT),
            (alert_token, alert_token.c.expires_at < now - KEPT),
            (used_key, used_key.c.expires_at <= now),
            (refresh_token, refresh_token.c.expires_at < now - KEPT),
            (session, (session.c.created_at < now - KEPT - self.session) & ~has_token),
            (audit, audit.c.created_at < now - self.audit),
            (event, event.c.created_at < now - self.events),
        ]


def _bring_mails_forward(connection: Connection, now: datetime, limit: int) -> int:
    """Make untried mails due that a node promised whose clock was ahead.

    Mails that a relay has claimed stay: where our clock is behind, every lease would look too long.
    """
    is_ahead = IS_WAITING & (mail.c.attempts == 0) & (mail.c.due_at > now)
    # The index begins with the bucket.
    found = select(*mail.primary_key.columns).where(is_ahead, mail.c.bucket.in_(range(BUCKETS))).limit(limit)
    keys = connection.execute(found).all()
    return change_unlocked(connection, update(mail).where(is_ahead).values(due_at=now), keys)


def _forget(connection: Connection, table: Table, is_over: ColumnElement[bool], limit: int) -> int:
    keys = connection.execute(select(*table.primary_key.columns).where(is_over).limit(limit)).all()
    return change_unlocked(connection, delete(table).where(is_over), keys)


def _forget_decoys(connection: Connection, limit: int) -> int:
    keys = connection.execute(select(customer.c.id).where(IS_DECOY).limit(limit)).all()
    if not keys:
        return 0
    claims = [decoy_address(row.id) for row in keys]
    connection.execute(delete(email_claim).where(email_claim.c.address.in_(claims)))
    return change_unlocked(connection, delete(customer).where(IS_DECOY), keys)

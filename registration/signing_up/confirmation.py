"""Confirmation: a mailed key proves that its mailbox belongs to the customer; its owner can also disown the account."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, select, update

from registration.addresses.holders import NO_CUSTOMER, find_holder, lock_holder
from registration.addresses.pending import erase_pending
from registration.customer import customer_of
from registration.keys.handles import code_digest, code_of
from registration.keys.link_keys import confirmation_key, digest
from registration.keys.owners import owner_of
from registration.keys.used_keys import KeyKind, remember_used
from registration.limits.address_counts import count_for_address
from registration.limits.attempts import Limit
from registration.limits.budgets import Bill, Cost
from registration.limits.lockout import forget_attempts
from registration.mail import outbox
from registration.mail.rendering import MailKind
from registration.outcomes import (
    Accepted,
    ConfirmationOutcome,
    Confirmed,
    Disowned,
    DisownOutcome,
    Invalid,
    ResendOutcome,
    TokenRefused,
)
from registration.records import audit
from registration.records.audit import AuditKind
from registration.records.events import EventKind, record_event
from registration.rules.account import read_address
from registration.rules.address import key_of_stored
from registration.services import Services
from registration.storage.inserts import Inserting
from registration.storage.tables import confirmation_token, customer

INSERT = insert(confirmation_token)
# Counted for each address, whether or not an account has it.
RESEND_LIMITS = (Limit(1, 60), Limit(5, 86_400))


@dataclass(frozen=True, slots=True)
class PendingSignUp:
    """What a mailed key shows of a pending account, so that the owner of the mailbox can recognize the sign-up."""

    email: str = field(repr=False)
    first_name: str | None = field(repr=False)
    last_name: str | None = field(repr=False)
    created_at: datetime


def issue_token(
    connection: Inserting, services: Services, customer_id: UUID, now: datetime, *, with_code: bool
) -> UUID:
    """Write a confirmation token inside the caller's transaction.

    The secret derives its key and its code from the id returned.
    """
    assert services.confirmation is not None
    token_id = services.new_id()
    code = code_digest(services.secret, customer_id, code_of(services.secret, token_id))
    row = {
        "digest": digest(confirmation_key(services.secret, token_id)),
        "customer_id": customer_id,
        "expires_at": now + services.confirmation,
        "code": code if with_code else None,
    }
    connection.execute(INSERT, row)
    return token_id


def pending_sign_up(services: Services, key: str) -> PendingSignUp | None:
    """The pending account of a key; None when the key is unknown, used or expired. Changes nothing."""

    def look(connection: Connection) -> PendingSignUp | None:
        row = connection.execute(
            select(customer.c.email, customer.c.first_name, customer.c.last_name, customer.c.created_at)
            .join(confirmation_token, confirmation_token.c.customer_id == customer.c.id)
            .where(confirmation_token.c.digest == digest(key), confirmation_token.c.expires_at > services.clock())
        ).one_or_none()
        return None if row is None else PendingSignUp(row.email, row.first_name, row.last_name, row.created_at)

    return services.database.read(look)


def confirm(services: Services, key: str, client_ip: str = "") -> ConfirmationOutcome:
    """Use a key up and confirm its customer, whose other confirmation keys are deleted.

    `client_ip` goes into the audit trail; it is empty where it is not known.
    """

    def work(connection: Connection) -> ConfirmationOutcome:
        customer_id = _use_up(connection, key, services.clock())
        row = None if customer_id is None else mark_confirmed(connection, services, customer_id, client_ip)
        if row is None:
            return TokenRefused()
        remember_used(connection, KeyKind.CONFIRMATION, row.id, [digest(key)], services.clock())
        return Confirmed(customer_of(row))

    outcome = services.database.write(work)
    if isinstance(outcome, Confirmed):
        forget_attempts(services.lockout, services.secret, key_of_stored(outcome.customer.email))
    return outcome


def mark_confirmed(connection: Connection, services: Services, customer_id: UUID, client_ip: str) -> Row[Any] | None:
    """Confirm a customer inside the caller's transaction and delete the customer's confirmation keys, as used.

    The changed row, or None when the customer is gone, a decoy or confirmed already.
    """
    now = services.clock()
    row = connection.execute(
        update(customer)
        .where(customer.c.id == customer_id, customer.c.confirmed_at.is_(None), customer.c.anonymized_at.is_(None))
        .values(confirmed_at=now, updated_at=now)
        .returning(customer)
    ).one_or_none()
    if row is not None:
        owned = delete(confirmation_token).where(confirmation_token.c.customer_id == customer_id)
        others = connection.scalars(owned.returning(confirmation_token.c.digest)).all()
        remember_used(connection, KeyKind.CONFIRMATION, customer_id, others, now)
        record_event(connection, services.new_id(), EventKind.CONFIRMED, customer_id, now)
        audit.record(connection, services.new_id(), AuditKind.CONFIRM, customer_id, now, client_ip=client_ip)
    return row


def disown(services: Services, key: str) -> DisownOutcome:
    """Erase the pending account of a key, because the owner of the mailbox did not sign up; frees the address.

    What is left for a day is that this key, and all others that were mailed to the account, were used.
    """

    def work(connection: Connection) -> DisownOutcome:
        now = services.clock()
        customer_id = _use_up(connection, key, now)
        if customer_id is None:
            return TokenRefused()
        owned = select(confirmation_token.c.digest).where(confirmation_token.c.customer_id == customer_id)
        digests = [digest(key), *connection.scalars(owned).all()]
        if not erase_pending(connection, customer_id):
            return TokenRefused()
        remember_used(connection, KeyKind.DISOWNED, customer_id, digests, now)
        record_event(connection, services.new_id(), EventKind.DISOWNED, customer_id, now)
        # Without `client_ip`: it is personal, and no customer is left whose erasure would empty it.
        audit.record(connection, services.new_id(), AuditKind.DISOWN, customer_id, now)
        services.ledger.record([customer_id], now)
        return Disowned()

    return services.database.write(work)


def resend_confirmation(services: Services, email: object, client_ip: str) -> ResendOutcome:
    """Enqueue a new confirmation mail if the address has a pending account; the outcome is the same if not.

    In conceal mode the work is the same, too: a confirmed customer is mailed that the account exists, and for an
    unknown address a mail to a made-up customer is enqueued, which the relay drops.
    """
    address = read_address({"email": email})
    if isinstance(address, list):
        return Invalid(tuple(address))

    def work(connection: Connection) -> ResendOutcome:
        blocked = count_for_address(
            connection, services.secret, address.key, purpose="resend", limits=RESEND_LIMITS, now=services.clock()
        )
        if blocked is None:
            _enqueue_again(connection, services, address.key, services.clock())
        return blocked or Accepted()

    return services.write_charged(Bill(frozenset({Cost.MAIL}), client_ip, address.key), work)


def _enqueue_again(connection: Connection, services: Services, email_key: str, now: datetime) -> None:
    if services.confirmation is None:
        return
    holder = find_holder(connection, email_key, now)
    unconfirmed = holder.id if holder and not holder.is_confirmed else NO_CUSTOMER
    # Before the lock: a confirmation by code locks the token first, too.
    had_code = _end_codes(connection, unconfirmed)
    # Locked, else it could be confirmed, erased or replaced before the token is written.
    pending = connection.scalar(
        select(customer.c.id).where(customer.c.id == unconfirmed, customer.c.confirmed_at.is_(None)).with_for_update()
    )
    # A confirmed one, too: else it could be erased before the mail is promised.
    holder = lock_holder(connection, holder)
    if pending is not None:
        token_id = issue_token(connection, services, pending, now, with_code=had_code)
        outbox.enqueue(connection, kind=MailKind.CONFIRMATION, customer_id=pending, token_id=token_id, now=now)
    elif services.conceal:
        made_up_id = services.new_id()
        issue_token(connection, services, made_up_id, now, with_code=services.codes)
        recipient_id = holder.id if holder else made_up_id
        outbox.enqueue(connection, kind=MailKind.ALREADY_REGISTERED, customer_id=recipient_id, token_id=None, now=now)


def _end_codes(connection: Connection, customer_id: UUID) -> bool:
    """Leave a customer's tokens without codes, because a new one comes; whether the sign-up had one."""
    has_code = (confirmation_token.c.customer_id == customer_id) & confirmation_token.c.code.is_not(None)
    return connection.execute(update(confirmation_token).where(has_code).values(code=None)).rowcount > 0


def _use_up(connection: Connection, key: str, now: datetime) -> UUID | None:
    customer_id = owner_of(connection, confirmation_token, digest(key))
    if customer_id is None:
        return None
    is_it = (confirmation_token.c.customer_id == customer_id) & (confirmation_token.c.digest == digest(key))
    used = connection.execute(delete(confirmation_token).where(is_it, confirmation_token.c.expires_at > now))
    return customer_id if used.rowcount else None

"""Confirmation: proof that a mailbox belongs to who signed up; it never tells whether an address is known."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, select, update

from registration.addresses.holders import NO_CUSTOMER, find_holder
from registration.addresses.pending import erase_pending
from registration.customer import customer_of
from registration.keys.link_keys import confirmation_key, digest
from registration.limits.address_limits import count_for_address
from registration.limits.attempts import Limit
from registration.mail import outbox
from registration.mail.mails import MailKind
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
from registration.records.events import record_event
from registration.rules.account import read_address
from registration.services import Services
from registration.storage.inserts import Inserting
from registration.storage.tables import confirmation_token, customer

INSERT = insert(confirmation_token)
# Per address, known or not.
RESEND_LIMITS = (Limit(1, 60), Limit(5, 86_400))


@dataclass(frozen=True, slots=True)
class PendingSignUp:
    """Who signed up with an address, and when: what its owner needs to tell friend from foe."""

    email: str
    first_name: str
    last_name: str
    created_at: datetime


def issue_token(connection: Inserting, services: Services, customer_id: UUID, now: datetime) -> UUID:
    """Write a token inside the caller's transaction; only the secret turns the id that comes back into the key."""
    assert services.confirmation is not None
    token_id = services.new_id()
    row = {
        "digest": digest(confirmation_key(services.secret, token_id)),
        "customer_id": customer_id,
        "expires_at": now + services.confirmation,
    }
    connection.execute(INSERT, row)
    return token_id


def pending_sign_up(services: Services, key: str) -> PendingSignUp | None:
    """Whom a key would confirm; changes nothing."""

    def look(connection: Connection) -> PendingSignUp | None:
        row = connection.execute(
            select(customer.c.email, customer.c.first_name, customer.c.last_name, customer.c.created_at)
            .join(confirmation_token, confirmation_token.c.customer_id == customer.c.id)
            .where(confirmation_token.c.digest == digest(key), confirmation_token.c.expires_at > services.clock())
        ).one_or_none()
        return None if row is None else PendingSignUp(row.email, row.first_name, row.last_name, row.created_at)

    return services.database.read(look)


def confirm(services: Services, key: str, client_ip: str = "") -> ConfirmationOutcome:
    """Use a key up and confirm its customer."""

    def work(connection: Connection) -> ConfirmationOutcome:
        customer_id = _use_up(connection, key, services.clock())
        row = None if customer_id is None else mark_confirmed(connection, services, customer_id, client_ip)
        if row is None:
            return TokenRefused()
        return Confirmed(customer_of(row))

    return services.database.write(work)


def mark_confirmed(connection: Connection, services: Services, customer_id: UUID, client_ip: str) -> Row[Any] | None:
    """Confirm a customer inside the caller's transaction; the row, or None if there was nothing to confirm."""
    now = services.clock()
    row = connection.execute(
        update(customer)
        .where(customer.c.id == customer_id, customer.c.confirmed_at.is_(None))
        .values(confirmed_at=now, updated_at=now)
        .returning(customer)
    ).one_or_none()
    if row is not None:
        connection.execute(delete(confirmation_token).where(confirmation_token.c.customer_id == customer_id))
        record_event(connection, services.new_id(), "customer.confirmed", customer_id, now)
        audit.record(connection, services.new_id(), AuditKind.CONFIRM, customer_id, now, client_ip=client_ip)
    return row


def disown(services: Services, key: str) -> DisownOutcome:
    """Erase the pending account of a key, because the owner of the mailbox did not sign up; frees the address."""

    def work(connection: Connection) -> DisownOutcome:
        now = services.clock()
        customer_id = _use_up(connection, key, now)
        if customer_id is None or not erase_pending(connection, customer_id):
            return TokenRefused()
        record_event(connection, services.new_id(), "customer.disowned", customer_id, now)
        # Not from where: nobody is left to whom that would belong.
        audit.record(connection, services.new_id(), AuditKind.DISOWN, customer_id, now)
        return Disowned()

    return services.database.write(work)


def resend_confirmation(services: Services, email: object) -> ResendOutcome:
    """Post a new confirmation mail if an account is pending under the address; says the same if not.

    Concealing, it also does the same: who is confirmed gets a mail that says so, and the one to nobody is not sent.
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

    outcome = services.database.write(work)
    services.on_mail_enqueued()
    return outcome


def _enqueue_again(connection: Connection, services: Services, email_key: str, now: datetime) -> None:
    if services.confirmation is None:
        return
    holder = find_holder(connection, email_key, now)
    waiting = holder.id if holder and not holder.is_confirmed else NO_CUSTOMER
    # Locked, else it could be confirmed, erased or replaced before the token is written.
    pending = connection.scalar(
        select(customer.c.id).where(customer.c.id == waiting, customer.c.confirmed_at.is_(None)).with_for_update()
    )
    if pending is not None:
        token_id = issue_token(connection, services, pending, now)
        outbox.enqueue(connection, kind=MailKind.CONFIRMATION, customer_id=pending, token_id=token_id, now=now)
    elif services.conceal:
        nobody = services.new_id()
        issue_token(connection, services, nobody, now)
        told = holder.id if holder else nobody
        outbox.enqueue(connection, kind=MailKind.ALREADY_REGISTERED, customer_id=told, token_id=None, now=now)


def _use_up(connection: Connection, key: str, now: datetime) -> UUID | None:
    return connection.execute(
        delete(confirmation_token)
        .where(confirmation_token.c.digest == digest(key), confirmation_token.c.expires_at > now)
        .returning(confirmation_token.c.customer_id)
    ).scalar_one_or_none()

"""Changes of address: a new address waits until a mailed key proves it; the old address gets a notice at once."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, select, update

from registration.addresses.claims import claim
from registration.addresses.forgetting import forget_address
from registration.addresses.holders import find_holder, lock_holder
from registration.customer import customer_of
from registration.keys.link_keys import digest, email_change_key
from registration.keys.owners import owner_of
from registration.keys.used_keys import KeyKind, remember_used
from registration.limits.address_counts import count_for_address
from registration.limits.attempts import Limit, count_attempt
from registration.limits.lockout import forget_attempts
from registration.mail import outbox
from registration.mail.rendering import MailKind
from registration.outcomes import Confirmed, EmailChangeOutcome, EmailTaken, TokenRefused, TooManyAttempts
from registration.records import audit
from registration.records.audit import AuditKind
from registration.records.events import EventKind, record_event
from registration.rules.address import EmailAddress, key_of_stored
from registration.services import Services
from registration.sessions.alerts import enqueue_alert
from registration.storage.database import replace_row
from registration.storage.tables import customer, email_change, email_claim, export_token, reset_token

# Else a customer could flood a stranger's mailbox, or ask which of many addresses are registered.
LIMITS_OF_AN_ADDRESS = (Limit(5, 3600), Limit(20, 86_400))
LIMIT_OF_A_CUSTOMER = Limit(10, 3600)
# Of a key where confirmation is off and therefore has no lifetime.
LIFETIME = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A new address that waits for its proof, as typed."""

    email: str = field(repr=False)
    confirm_before: datetime


def request_change(
    connection: Connection, services: Services, person: Row[Any], email: EmailAddress, client_ip: str
) -> PendingChange | EmailTaken | TooManyAttempts:
    """Let a new address wait for its proof; the caller's transaction has locked `person`, the customer's row.

    It replaces an address that waits already. The address is claimed only when it is proven: otherwise a customer could
    block a stranger's address. In conceal mode a taken address waits, too: no mail has its key, and its holder is told.
    """
    now = services.clock()
    blocked = _count(connection, services, person.id, email.key)
    if blocked:
        return blocked
    taken_by = _other_holder(connection, person.id, email.key, now)
    if taken_by and not services.conceal:
        return EmailTaken()
    token_id = services.new_id()
    pending = PendingChange(email.text, now + (services.confirmation or LIFETIME))
    row = {
        "customer_id": person.id,
        "digest": digest(email_change_key(services.secret, token_id)),
        "email": pending.email,
        "expires_at": pending.confirm_before,
    }
    replace_row(connection, email_change, row)
    _enqueue_mails(connection, services, person, token_id, taken_by)
    kind = AuditKind.EMAIL_CHANGE_REQUEST
    audit.record(connection, services.new_id(), kind, person.id, now, client_ip=client_ip)
    return pending


def _other_holder(connection: Connection, customer_id: UUID, email_key: str, now: datetime) -> UUID | None:
    """The id of another customer who keeps the address, locked against erasure until commit; None without one."""
    holder = lock_holder(connection, find_holder(connection, email_key, now))
    return holder.id if holder and holder.is_firm and holder.id != customer_id else None


def _enqueue_mails(
    connection: Connection, services: Services, person: Row[Any], token_id: UUID, taken_by: UUID | None
) -> None:
    now = services.clock()
    outbox.withdraw(connection, MailKind.EMAIL_CHANGE, person.id, now)
    if taken_by:
        outbox.enqueue(connection, kind=MailKind.ALREADY_REGISTERED, customer_id=taken_by, token_id=None, now=now)
    else:
        outbox.enqueue(connection, kind=MailKind.EMAIL_CHANGE, customer_id=person.id, token_id=token_id, now=now)
    # To the present address: the new one may be proven before the notice is sent.
    notice = MailKind.EMAIL_CHANGE_NOTICE
    enqueue_alert(connection, services, notice, person.id, person.email, recipient=person.email)


def _count(connection: Connection, services: Services, customer_id: UUID, email_key: str) -> TooManyAttempts | None:
    """Count the request for the customer and the address; None when it is within every limit."""
    now, secret = services.clock(), services.secret
    key = secret.derive("email change attempts of a customer", str(customer_id))
    return count_attempt(connection, key, LIMIT_OF_A_CUSTOMER, now) or count_for_address(
        connection, secret, email_key, purpose="email change", limits=LIMITS_OF_AN_ADDRESS, now=now
    )


def pending_change(connection: Connection, customer_id: UUID, now: datetime) -> PendingChange | None:
    """The address that waits for its proof; None when there is none, or its time is over."""
    row = connection.execute(
        select(email_change).where(email_change.c.customer_id == customer_id, email_change.c.expires_at > now)
    ).one_or_none()
    return None if row is None else PendingChange(row.email, row.expires_at)


def address_of_key(services: Services, key: str) -> str | None:
    """The address that a key would prove, as typed; None when the key is unknown, used or expired. Changes nothing."""

    def look(connection: Connection) -> str | None:
        return connection.execute(
            select(email_change.c.email).where(
                email_change.c.digest == digest(key), email_change.c.expires_at > services.clock()
            )
        ).scalar_one_or_none()

    return services.database.read(look)


def confirm_email_change(services: Services, key: str, client_ip: str) -> EmailChangeOutcome:
    """Use a key up: the new address becomes the customer's, and the old one is free.

    EmailTaken when another account has the address by now; the key is used up then, too.
    """

    def work(connection: Connection) -> EmailChangeOutcome:
        now = services.clock()
        owner = owner_of(connection, email_change, digest(key))
        proven = None if owner is None else _use_up(connection, owner, digest(key), now)
        if proven is None:
            return TokenRefused()
        if not claim(connection, key_of_stored(proven.email), proven.customer_id, now):
            remember_used(connection, KeyKind.EMAIL_TAKEN, proven.customer_id, [digest(key)], now)
            return EmailTaken()
        row = move_address(connection, services, proven.customer_id, proven.email, client_ip)
        remember_used(connection, KeyKind.EMAIL_CHANGE, row.id, [digest(key)], now)
        return Confirmed(customer_of(row))

    outcome = services.database.write(work)
    if isinstance(outcome, Confirmed):
        forget_attempts(services.lockout, services.secret, key_of_stored(outcome.customer.email))
    return outcome


def _use_up(connection: Connection, owner: UUID, key_digest: str, now: datetime) -> Row[Any] | None:
    is_it = (email_change.c.customer_id == owner) & (email_change.c.digest == key_digest)
    used = delete(email_change).where(is_it, email_change.c.expires_at > now)
    row: Row[Any] | None = connection.execute(used.returning(email_change)).one_or_none()
    return row


def move_address(connection: Connection, services: Services, customer_id: UUID, email: str, client_ip: str) -> Row[Any]:
    """Give the customer an address that is claimed already, and free the former one; returns the changed row."""
    now = services.clock()
    former: str = connection.scalars(
        delete(email_claim)
        .where(email_claim.c.customer_id == customer_id, email_claim.c.address != key_of_stored(email))
        .returning(email_claim.c.address)
    ).one()
    forget_address(connection, services.secret, former)
    # A key in the old mailbox must not open the account any more.
    for table in (reset_token, export_token):
        connection.execute(delete(table).where(table.c.customer_id == customer_id))
    moved = update(customer).where(customer.c.id == customer_id).values(email=email, updated_at=now)
    record_event(connection, services.new_id(), EventKind.EMAIL_CHANGED, customer_id, now)
    # With the former address, by which erasure finds the failed sign-ins that are recorded under it from now on.
    kind = AuditKind.EMAIL_CHANGE
    audit.record(connection, services.new_id(), kind, customer_id, now, client_ip=client_ip, email_key=former)
    return connection.execute(moved.returning(customer)).one()

"""Password resets: a mailed key allows a new password; no outcome tells whether an address is known."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, select

from registration.addresses.holders import Holder, find_holder, lock_holder
from registration.keys.link_keys import digest, reset_key
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
    Done,
    Invalid,
    ResetOutcome,
    ResetRefused,
    ResetRequestOutcome,
    Stage,
    Violation,
    ViolationCode,
)
from registration.passwords.stored import store_password
from registration.records import audit
from registration.records.audit import AuditKind
from registration.rules.account import read_reset, read_reset_request
from registration.rules.address import key_of_stored
from registration.rules.own_words import words_of
from registration.rules.password import is_denied
from registration.services import Services
from registration.sessions.alerts import enqueue_alert
from registration.signing_up.confirmation import mark_confirmed
from registration.storage.database import Database, replace_row
from registration.storage.tables import customer, reset_token

# Counted for each address, whether or not an account has it.
REQUEST_LIMITS = (Limit(5, 3600), Limit(20, 86_400))


def request_reset(services: Services, email: object, client_ip: str) -> ResetRequestOutcome:
    """Enqueue a mail with a key if an account, confirmed or not, has the address; the outcome is the same if not."""
    address = read_reset_request({"email": email})
    if isinstance(address, list):
        return Invalid(tuple(address))

    def work(connection: Connection) -> ResetRequestOutcome:
        blocked = count_for_address(
            connection, services.secret, address.key, purpose="reset", limits=REQUEST_LIMITS, now=services.clock()
        )
        if blocked:
            return blocked
        now = services.clock()
        holder = lock_holder(connection, find_holder(connection, address.key, now))
        customer_id = _recipient(services, holder)
        if customer_id:
            enqueue_reset_key(connection, services, customer_id, now)
        # Without the address, also when no account has it: it would name a stranger. Without the made-up id, or
        # housekeeping would not find the row of a stranger.
        holder_id = holder.id if holder else None
        audit.record(connection, services.new_id(), AuditKind.RESET_REQUEST, holder_id, now, client_ip=client_ip)
        return Accepted()

    return services.write_charged(Bill(frozenset({Cost.MAIL}), client_ip, address.key), work)


def _recipient(services: Services, holder: Holder | None) -> UUID | None:
    """The holder's id; in conceal mode, for an unknown address, that of a made-up customer, whose mail is dropped."""
    if holder:
        return holder.id
    return services.new_id() if services.conceal else None


def enqueue_reset_key(connection: Connection, services: Services, customer_id: UUID, now: datetime) -> None:
    """Write a key in place of an older one, whose mail is dropped if it still waits, and enqueue its mail."""
    token_id = services.new_id()
    row = {
        "customer_id": customer_id,
        "digest": digest(reset_key(services.secret, token_id)),
        "expires_at": now + services.reset,
    }
    replace_row(connection, reset_token, row)
    outbox.withdraw(connection, MailKind.RESET, customer_id, now)
    outbox.enqueue(connection, kind=MailKind.RESET, customer_id=customer_id, token_id=token_id, now=now)


def reset_refusal(services: Services, key: str) -> ResetRefused | None:
    """Why a key cannot be used; None when it can. Changes nothing."""
    return services.database.read(lambda connection: _refusal(connection, digest(key), services.clock()))


def _refusal(connection: Connection, key_digest: str, now: datetime) -> ResetRefused | None:
    expires_at = connection.execute(
        select(reset_token.c.expires_at).where(reset_token.c.digest == key_digest)
    ).scalar_one_or_none()
    return None if expires_at and expires_at > now else ResetRefused(expired=expires_at is not None)


def reset(services: Services, raw: Mapping[str, object], client_ip: str) -> ResetOutcome:
    """Use a key up and store a new password; costs a hash only if the key is good.

    The key proves the mailbox, so an unconfirmed account is confirmed. Every session ends.
    """
    read = read_reset(raw, services.policy)
    if isinstance(read, list):
        return Invalid(tuple(read))
    refused = reset_refusal(services, read.key)
    if refused:
        return refused
    key_digest = digest(read.key)
    if is_denied(read.password, services.policy, _words_of_customer(services.database, key_digest)):
        return Invalid((Violation("password", ViolationCode.PASSWORD_COMMON, Stage.PASSWORD),))
    password_hash = services.passwords.hash(read.password)

    def work(connection: Connection) -> str | None:
        """The address of the customer; None if the key was used meanwhile."""
        now = services.clock()
        customer_id = _use_up(connection, key_digest, now)
        if customer_id is None or not store_password(connection, services, customer_id, password_hash, now):
            return None
        remember_used(connection, KeyKind.RESET, customer_id, [key_digest], now)
        mark_confirmed(connection, services, customer_id, client_ip)
        audit.record(connection, services.new_id(), AuditKind.RESET, customer_id, now, client_ip=client_ip)
        email: str = connection.scalars(select(customer.c.email).where(customer.c.id == customer_id)).one()
        enqueue_alert(connection, services, MailKind.PASSWORD_CHANGED, customer_id, email)
        return email

    email = services.database.write(work)
    if email is None:
        return ResetRefused(expired=False)
    forget_attempts(services.lockout, services.secret, key_of_stored(email))
    return Done()


def _words_of_customer(database: Database, key_digest: str) -> frozenset[str]:
    """The words in the name and address of the key's customer; empty if the key was used meanwhile."""
    columns = (customer.c.first_name, customer.c.last_name, customer.c.email)
    named = select(*columns).join(reset_token, reset_token.c.customer_id == customer.c.id)
    rows = database.read(lambda connection: connection.execute(named.where(reset_token.c.digest == key_digest)).all())
    return words_of(*(text for row in rows for text in row))


def _use_up(connection: Connection, key_digest: str, now: datetime) -> UUID | None:
    customer_id = owner_of(connection, reset_token, key_digest)
    if customer_id is None:
        return None
    is_it = (reset_token.c.customer_id == customer_id) & (reset_token.c.digest == key_digest)
    used = connection.execute(delete(reset_token).where(is_it, reset_token.c.expires_at > now))
    return customer_id if used.rowcount else None

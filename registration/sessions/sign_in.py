"""Signing in with a password, the one way to open a session; a refusal of a wrong password does not tell its reason."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from registration.addresses.holders import lock_if_present
from registration.hashing.passwords import Verdict
from registration.limits.lockout import Blocked, attempt_key
from registration.outcomes import BadCredentials, EmailNotConfirmed, SignInOutcome, Tokens, TooManyAttempts
from registration.records import audit
from registration.records.audit import AuditKind
from registration.rules.address import email_key
from registration.rules.password import forms_of, prepare
from registration.services import Services
from registration.sessions.access_tokens import Grant
from registration.sessions.devices import UNKNOWN, Device, tell_of_new_device
from registration.sessions.guesses import charge_guess, give_guess_back, settle_guess
from registration.sessions.sessions import new_token, open_session, token_pair
from registration.storage.tables import customer, email_claim

# Built once, because building takes as long as running them.
CUSTOMER_BY_EMAIL = (
    select(customer)
    .join(email_claim, email_claim.c.customer_id == customer.c.id)
    .where(email_claim.c.address == bindparam("held"))
)
LOCKED = select(customer).where(customer.c.id == bindparam("locked")).with_for_update()


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to sign in.

    `email_key` is None when the text is no address, `customer_row` when no customer has it.
    """

    email_key: str | None
    customer_row: Row[Any] | None
    client_ip: str
    device: Device


def sign_in(services: Services, email: str, password: str, client_ip: str, device: Device = UNKNOWN) -> SignInOutcome:
    """Open a session. Whatever the reason of a refusal, outcome and work are the same: one password hash.

    EmailNotConfirmed needs the right password, and is no failure that the lock-out counts.
    """
    address_key = email_key(email)
    key = attempt_key(services.secret, address_key or "", client_ip)
    turn = services.lockout.take(key)
    if isinstance(turn, Blocked):
        return TooManyAttempts(turn.seconds)
    refusal = charge_guess(services, client_ip)
    if refusal:
        services.lockout.give_back(key)
        return refusal
    customer_row = services.database.read(partial(_find_customer, address_key=address_key or ""))
    attempt = Attempt(address_key, customer_row, client_ip, device)
    outcome = _open_session_if_correct(services, attempt, password)
    if outcome is None:
        services.database.write(partial(_record_failure, services, attempt, is_last=turn.last))
        if turn.last:
            services.lockout.block(key)
        return BadCredentials()
    services.lockout.give_back(key)
    return outcome


def seconds_blocked(services: Services, email: str, client_ip: str) -> int | None:
    """The seconds until a lock-out ends; None when there is none. For requests that are refused before `sign_in`."""
    blocked = services.lockout.blocked(attempt_key(services.secret, email_key(email) or "", client_ip))
    return None if blocked is None else blocked.seconds


def _find_customer(connection: Connection, address_key: str) -> Row[Any] | None:
    return connection.execute(CUSTOMER_BY_EMAIL, {"held": address_key}).one_or_none()


def _open_session_if_correct(services: Services, attempt: Attempt, password: str) -> Tokens | EmailNotConfirmed | None:
    """None is a failure: the password is wrong, or the account must not tell that it is there."""
    customer_row = attempt.customer_row
    verdict = services.passwords.verify(customer_row.password_hash if customer_row else None, *forms_of(password))
    if customer_row is None or not verdict.is_right or customer_row.blocked_at:
        return None
    if customer_row.confirmed_at is None:
        return None if services.conceal else EmailNotConfirmed()
    new_hash = services.passwords.hash(prepare(password)) if verdict is Verdict.OUTDATED else None
    session_id, token = services.new_id(), new_token()

    def work(connection: Connection) -> Grant | None:
        now = services.clock()
        if not _is_unchanged(connection, customer_row):
            return None
        if new_hash:
            _replace_hash(connection, customer_row, new_hash)
        give_guess_back(connection, services, attempt.client_ip)
        audit.record(
            connection, services.new_id(), AuditKind.SIGN_IN, customer_row.id, now, client_ip=attempt.client_ip
        )
        if services.new_device_mail:
            tell_of_new_device(connection, services, customer_row, attempt.device, session_id)
        return open_session(connection, services, customer_row, session_id, token, device=attempt.device)

    grant = services.database.write(work)
    if grant is None:
        return None
    settle_guess(services, attempt.client_ip)
    services.on_mail_enqueued()
    return token_pair(services, grant, token)


def _is_unchanged(connection: Connection, customer_row: Row[Any]) -> bool:
    """Whether the password that was verified is still the customer's.

    Locks the customer's row, so that a change in flight is waited for, and a later one ends the new session.
    """
    current = connection.execute(LOCKED, {"locked": customer_row.id}).one_or_none()
    return (
        current is not None
        and current.anonymized_at is None
        and current.blocked_at is None
        and current.password_changed_at == customer_row.password_changed_at
    )


def _replace_hash(connection: Connection, customer_row: Row[Any], new_hash: str) -> None:
    """Store a new hash, unless another sign-in has done so."""
    connection.execute(
        update(customer)
        .where(customer.c.id == customer_row.id, customer.c.password_hash == customer_row.password_hash)
        .values(password_hash=new_hash)
    )


def _record_failure(services: Services, attempt: Attempt, connection: Connection, *, is_last: bool) -> None:
    known_id = attempt.customer_row.id if attempt.customer_row else None
    # Without a customer who was erased meanwhile: the trail of an erased customer names no client.
    customer_id = known_id if lock_if_present(connection, known_id) else None
    for kind in (AuditKind.SIGN_IN_FAILURE, AuditKind.LOCK_OUT)[: 1 + is_last]:
        audit.record(
            connection,
            services.new_id(),
            kind,
            customer_id,
            services.clock(),
            client_ip=attempt.client_ip,
            email_key=None if attempt.customer_row else attempt.email_key,
        )

"""Signing in with a password, the one way to open a session; a refusal of a wrong password does not tell its reason."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select, update

from registration.addresses.holders import NO_CUSTOMER, lock_if_present
from registration.hashing.passwords import Verdict
from registration.keys.signing_keys import Algorithm
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
HOLDER = select(email_claim.c.customer_id).where(email_claim.c.address == bindparam("held"))
CUSTOMER: Select[Any] = select(
    customer.c.id,
    customer.c.reference,
    customer.c.email,
    customer.c.password_hash,
    customer.c.created_at,
    customer.c.confirmed_at,
    customer.c.blocked_at,
    customer.c.password_changed_at,
).where(customer.c.id == bindparam("wanted"))
LOCKED = (
    select(customer.c.anonymized_at, customer.c.blocked_at, customer.c.password_changed_at)
    .where(customer.c.id == bindparam("wanted"))
    .with_for_update()
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to sign in. `email_key` is None when the text is no address."""

    email_key: str | None
    lockout_key: str
    client_ip: str
    device: Device
    algorithm: Algorithm


@dataclass(frozen=True, slots=True)
class Begun:
    """What is known before the hash: `customer_row` is None when no customer has the address."""

    customer_row: Row[Any] | None
    is_last: bool
    """Whether the block begins when this attempt fails."""


def sign_in(
    services: Services,
    email: str,
    password: str,
    client_ip: str,
    device: Device = UNKNOWN,
    *,
    algorithm: Algorithm = "ES256",
) -> SignInOutcome:
    """Open a session. Whatever the reason of a refusal, outcome and work are the same: one password hash.

    EmailNotConfirmed needs the right password, and is no failure that the lock-out counts. The access token is signed
    by `algorithm` where there is such a key.
    """
    address_key = email_key(email)
    attempt = Attempt(
        address_key, attempt_key(services.secret, address_key or "", client_ip), client_ip, device, algorithm
    )
    begin = partial(_begin, services, attempt)
    counts_in_database = services.lockout.in_database and services.budgets.in_database
    begun = services.database.write(begin) if counts_in_database else begin()
    if isinstance(begun, TooManyAttempts):
        return begun
    outcome = _open_session_if_correct(services, attempt, begun.customer_row, password)
    if outcome is None:
        services.database.write(partial(_record_failure, services, attempt, begun))
        if begun.is_last:
            services.lockout.block(attempt.lockout_key)
        return BadCredentials()
    return outcome


def seconds_blocked(services: Services, email: str, client_ip: str) -> int | None:
    """The seconds until a lock-out ends; None when there is none. For requests that are refused before `sign_in`."""
    blocked = services.lockout.blocked(attempt_key(services.secret, email_key(email) or "", client_ip))
    return None if blocked is None else blocked.seconds


def _begin(services: Services, attempt: Attempt, connection: Connection | None = None) -> Begun | TooManyAttempts:
    """Count the attempt, the hash and the guess, and find the customer: one transaction where the database counts."""
    turn = services.lockout.take(attempt.lockout_key, connection)
    if isinstance(turn, Blocked):
        return TooManyAttempts(turn.seconds)
    refusal = charge_guess(services, attempt.client_ip, connection)
    if refusal:
        services.lockout.give_back(attempt.lockout_key, connection)
        return refusal
    find = partial(_find_customer, address_key=attempt.email_key or "")
    return Begun(services.database.read(find) if connection is None else find(connection), turn.last)


def _find_customer(connection: Connection, address_key: str) -> Row[Any] | None:
    """Two look-ups, because an address and its customer may lie on different nodes; both for any address."""
    holder = connection.scalars(HOLDER, {"held": address_key}).one_or_none()
    return connection.execute(CUSTOMER, {"wanted": holder or NO_CUSTOMER}).one_or_none()


def _open_session_if_correct(
    services: Services, attempt: Attempt, customer_row: Row[Any] | None, password: str
) -> Tokens | EmailNotConfirmed | None:
    """None is a failure: the password is wrong, or the account must not tell that it is there."""
    verdict = services.passwords.verify(customer_row.password_hash if customer_row else None, *forms_of(password))
    if customer_row is None or not verdict.is_right or customer_row.blocked_at:
        return None
    if customer_row.confirmed_at is None:
        if services.conceal:
            return None
        services.lockout.give_back(attempt.lockout_key)
        return EmailNotConfirmed()
    new_hash = services.passwords.hash(prepare(password)) if verdict is Verdict.OUTDATED else None
    session_id, token = services.new_id(), new_token()

    def work(connection: Connection) -> Grant | None:
        now = services.clock()
        if not _is_unchanged(connection, customer_row):
            return None
        if new_hash:
            _replace_hash(connection, customer_row, new_hash)
        # In the order in which `_begin` counts, so that two sign-ins cannot wait for each other in a circle.
        if services.lockout.in_database:
            services.lockout.give_back(attempt.lockout_key, connection)
        give_guess_back(connection, services, attempt.client_ip)
        audit.record(
            connection, services.new_id(), AuditKind.SIGN_IN, customer_row.id, now, client_ip=attempt.client_ip
        )
        if services.new_device_mail:
            tell_of_new_device(connection, services, customer_row, attempt.device, session_id)
        return open_session(connection, services, customer_row, session_id, token, device=attempt.device)

    grant = services.database.write(work, knows_its_rows=True)
    if grant is None:
        return None
    if not services.lockout.in_database:
        services.lockout.give_back(attempt.lockout_key)
    settle_guess(services, attempt.client_ip)
    return token_pair(services, grant, token, attempt.algorithm)


def _is_unchanged(connection: Connection, customer_row: Row[Any]) -> bool:
    """Whether the password that was verified is still the customer's.

    Locks the customer's row, so that a change in flight is waited for, and a later one ends the new session.
    """
    current = connection.execute(LOCKED, {"wanted": customer_row.id}).one_or_none()
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


def _record_failure(services: Services, attempt: Attempt, begun: Begun, connection: Connection) -> None:
    known_id = begun.customer_row.id if begun.customer_row else None
    # Without a customer who was erased meanwhile: the trail of an erased customer names no client.
    customer_id = known_id if lock_if_present(connection, known_id) else None
    for kind in (AuditKind.SIGN_IN_FAILURE, AuditKind.LOCK_OUT)[: 1 + begun.is_last]:
        audit.record(
            connection,
            services.new_id(),
            kind,
            customer_id,
            services.clock(),
            client_ip=attempt.client_ip,
            email_key=None if begun.customer_row else attempt.email_key,
        )

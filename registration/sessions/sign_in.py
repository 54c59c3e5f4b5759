"""Signing in with a password: the one place that opens sessions; it never tells why it refuses."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from registration.addresses.holders import lock_if_present
from registration.hashing.passwords import Verdict
from registration.limits.lockout import Blocked, attempt_key
from registration.outcomes import BadCredentials, SignInOutcome, Tokens, TooManyAttempts
from registration.records import audit
from registration.records.audit import AuditKind
from registration.rules.address import email_key
from registration.services import Services
from registration.sessions.sessions import Grant, new_token, open_session, token_pair
from registration.storage.tables import customer, email_claim

# Made once, because that takes as long as to ask them.
CUSTOMER_BY_EMAIL = (
    select(customer)
    .join(email_claim, email_claim.c.customer_id == customer.c.id)
    .where(email_claim.c.address == bindparam("held"))
)
LOCKED = select(customer).where(customer.c.id == bindparam("locked")).with_for_update()


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who tries, from where; `address` is None when what was typed is no address, `holder` when nobody has it."""

    address: str | None
    holder: Row[Any] | None
    client_ip: str


def sign_in(services: Services, email: str, password: str, client_ip: str) -> SignInOutcome:
    """Open a session. Whatever the reason of a refusal, the answer and the work are the same: one password hash."""
    address = email_key(email)
    key = attempt_key(services.secret, address or "", client_ip)
    turn = services.lockout.take(key)
    if isinstance(turn, Blocked):
        return TooManyAttempts(turn.seconds)
    holder = services.database.read(partial(_holder, address=address or ""))
    attempt = Attempt(address, holder, client_ip)
    granted = _open_session_if_correct(services, attempt, password)
    if granted is None:
        services.database.write(partial(_record_failure, services, attempt, is_last=turn.last))
        if turn.last:
            services.lockout.block(key)
        return BadCredentials()
    services.lockout.give_back(key)
    return granted


def seconds_blocked(services: Services, email: str, client_ip: str) -> int | None:
    """How long a client is still locked out; None when it is not. For a request that does not get to `sign_in`."""
    blocked = services.lockout.blocked(attempt_key(services.secret, email_key(email) or "", client_ip))
    return None if blocked is None else blocked.seconds


def _holder(connection: Connection, address: str) -> Row[Any] | None:
    return connection.execute(CUSTOMER_BY_EMAIL, {"held": address}).one_or_none()


def _open_session_if_correct(services: Services, attempt: Attempt, password: str) -> Tokens | None:
    holder = attempt.holder
    verdict = services.passwords.verify(holder.password_hash if holder else None, password)
    if holder is None or holder.confirmed_at is None or verdict is Verdict.WRONG:
        return None
    new_hash = services.passwords.hash(password) if verdict is Verdict.OUTDATED else None
    session_id, token = services.new_id(), new_token()

    def work(connection: Connection) -> Grant | None:
        now = services.clock()
        if not _is_unchanged(connection, holder):
            return None
        if new_hash:
            _replace_hash(connection, holder, new_hash)
        audit.record(connection, services.new_id(), AuditKind.SIGN_IN, holder.id, now, client_ip=attempt.client_ip)
        return open_session(connection, services, holder, session_id, token)

    grant = services.database.write(work)
    return None if grant is None else token_pair(services, grant, token)


def _is_unchanged(connection: Connection, holder: Row[Any]) -> bool:
    """Whether the password that was verified still is the customer's.

    Locks the customer, so that a change under way is waited for, and one that comes later ends the new session.
    """
    current = connection.execute(LOCKED, {"locked": holder.id}).one_or_none()
    return (
        current is not None
        and current.anonymized_at is None
        and current.password_changed_at == holder.password_changed_at
    )


def _replace_hash(connection: Connection, holder: Row[Any], new_hash: str) -> None:
    """Unless another sign-in was faster."""
    connection.execute(
        update(customer)
        .where(customer.c.id == holder.id, customer.c.password_hash == holder.password_hash)
        .values(password_hash=new_hash)
    )


def _record_failure(services: Services, attempt: Attempt, connection: Connection, *, is_last: bool) -> None:
    holder_id = attempt.holder.id if attempt.holder else None
    # Whoever was erased since is nobody: the trail of an erased customer names no client.
    customer_id = holder_id if lock_if_present(connection, holder_id) else None
    for kind in (AuditKind.SIGN_IN_FAILURE, AuditKind.LOCK_OUT)[: 1 + is_last]:
        audit.record(
            connection,
            services.new_id(),
            kind,
            customer_id,
            services.clock(),
            client_ip=attempt.client_ip,
            email_key=None if attempt.holder else attempt.address,
        )

"""The transaction of sign-ins: each opens its session, or is recorded as a failure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, update

from registration.addresses.holders import NO_CUSTOMER, lock_if_present
from registration.keys.link_keys import digest
from registration.keys.signing_keys import Algorithm
from registration.limits.lockout import outages_logged
from registration.outcomes import BadCredentials, EmailNotConfirmed, SignInOutcome
from registration.records import audit
from registration.records.audit import AuditKind
from registration.services import Services
from registration.sessions.access_tokens import Grant
from registration.sessions.attempt import Attempt, Begun
from registration.sessions.devices import Visit, device_mark, tell_of_new_devices
from registration.sessions.guesses import give_guesses_back, settle_guesses
from registration.sessions.sessions import session_row, token_pair, token_row
from registration.storage.database import insert_new_rows, unless_stored, wait_briefly
from registration.storage.inserts import Inserting, gathered
from registration.storage.tables import customer, refresh_token, session

# Built once, because building takes as long as running them.
LOCKED = (
    select(customer.c.anonymized_at, customer.c.blocked_at, customer.c.password_changed_at)
    .where(customer.c.id == bindparam("wanted"))
    .with_for_update()
)
REPLACE_HASH = (
    update(customer)
    .where(customer.c.id == bindparam("wanted"), customer.c.password_hash == bindparam("old_hash"))
    .values(password_hash=bindparam("new_hash"))
)


@dataclass(frozen=True, slots=True)
class Opening:
    """The session that a sign-in opens, with its refresh token and how its access token is signed."""

    grant: Grant
    opened_at: datetime
    token: str = field(repr=False)
    algorithm: Algorithm
    new_hash: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class PreparedSignIn:
    """A sign-in whose password was verified; without an opening it fails, or is told that it is not confirmed."""

    attempt: Attempt
    begun: Begun
    opening: Opening | None = None
    is_unconfirmed: bool = False

    @property
    def customer_id(self) -> UUID | None:
        return self.begun.customer_row.id if self.begun.customer_row else None


@dataclass(frozen=True, slots=True)
class Decided:
    """What comes of a sign-in, the session that is opened or its refusal, and the customer that its audit row names."""

    sign_in: PreparedSignIn
    outcome: Opening | BadCredentials | EmailNotConfirmed
    customer_id: UUID | None = None


Written = tuple[list[Decided], list[UUID]]
"""What a transaction decided, and the ids of its audit rows."""


def commit(
    services: Services, sign_ins: Sequence[PreparedSignIn], lock_wait: float | None = None
) -> list[SignInOutcome]:
    """Write sign-ins in one transaction and return their outcomes, in the same order.

    Raises Locked when another transaction holds a customer or a count for longer than `lock_wait` seconds; with None,
    the waits of the database apply.
    """
    work = unless_stored(partial(_commit_in, services, sign_ins, lock_wait), _is_stored)
    decided, _ = services.database.write(work, knows_its_rows=True)
    _settle(services, decided)
    return [_answer(services, each.outcome) for each in decided]


def _answer(services: Services, outcome: Opening | BadCredentials | EmailNotConfirmed) -> SignInOutcome:
    if isinstance(outcome, Opening):
        return token_pair(services, outcome.grant, outcome.token, outcome.algorithm)
    return outcome


def _is_stored(connection: Connection, written: Written) -> bool:
    """By an audit row. Sign-ins that are all told that they are not confirmed have none: they are given back twice."""
    _, recorded = written
    return bool(recorded) and audit.is_recorded(connection, recorded[0])


def _commit_in(
    services: Services, sign_ins: Sequence[PreparedSignIn], lock_wait: float | None, connection: Connection
) -> Written:
    if lock_wait is not None:
        wait_briefly(connection, lock_wait)
    decided = _decide_all(connection, sign_ins)
    # Customers, then attempts, then guesses, as in `begin`: so that two nodes cannot wait for each other in a circle.
    if services.lockout.in_database:
        services.lockout.give_back(_attempts_to_give_back(decided), connection)
    give_guesses_back(connection, services, _right_guesses(decided))
    with gathered(connection) as batch:
        recorded = [record_id for each in decided for record_id in _record(batch, services, each)]
    _open_sessions(connection, services, [each.sign_in for each in decided if isinstance(each.outcome, Opening)])
    return decided, recorded


def _decide_all(connection: Connection, sign_ins: Sequence[PreparedSignIn]) -> list[Decided]:
    """Lock the customers, in the order of their ids, and decide; the strongest lock of a customer first."""
    places = range(len(sign_ins))
    in_order = sorted(
        places, key=lambda place: (sign_ins[place].customer_id or NO_CUSTOMER, sign_ins[place].opening is None)
    )
    decided = {place: _decide(connection, sign_ins[place]) for place in in_order}
    return [decided[place] for place in places]


def _decide(connection: Connection, sign_in: PreparedSignIn) -> Decided:
    """A session needs that the password that was verified is still the customer's.

    The lock waits for a password change in flight; a later change ends the new session. A failure names no customer who
    was erased meanwhile: the trail of an erased customer names no client.
    """
    if sign_in.is_unconfirmed:
        return Decided(sign_in, EmailNotConfirmed())
    before = sign_in.begun.customer_row
    if sign_in.opening is None or before is None:
        is_there = lock_if_present(connection, sign_in.customer_id)
        return Decided(sign_in, BadCredentials(), sign_in.customer_id if is_there else None)
    now = connection.execute(LOCKED, {"wanted": before.id}).one_or_none()
    if now is None or now.anonymized_at:
        return Decided(sign_in, BadCredentials())
    is_unchanged = now.blocked_at is None and now.password_changed_at == before.password_changed_at
    return Decided(sign_in, sign_in.opening if is_unchanged else BadCredentials(), before.id)


def _record(batch: Inserting, services: Services, decided: Decided) -> list[UUID]:
    """Write the audit rows and return their ids; a sign-in that is told that it is not confirmed has none."""
    kinds = [AuditKind.SIGN_IN] if isinstance(decided.outcome, Opening) else []
    if isinstance(decided.outcome, BadCredentials):
        kinds = [AuditKind.SIGN_IN_FAILURE, AuditKind.LOCK_OUT][: 1 + decided.sign_in.begun.is_last]
    attempt = decided.sign_in.attempt
    record_ids = [services.new_id() for _ in kinds]
    for record_id, kind in zip(record_ids, kinds, strict=True):
        audit.record(
            batch,
            record_id,
            kind,
            decided.customer_id,
            services.clock(),
            client_ip=attempt.client_ip,
            email_key=None if decided.sign_in.begun.customer_row else attempt.email_key,
            correlation_id=attempt.correlation_id,
        )
    return record_ids


def _open_sessions(connection: Connection, services: Services, sign_ins: Sequence[PreparedSignIn]) -> None:
    visits, sessions, tokens, hashes = [], [], [], []
    for sign_in in sign_ins:
        row, opening, attempt = sign_in.begun.customer_row, sign_in.opening, sign_in.attempt
        assert row is not None
        assert opening is not None
        mark = device_mark(services.secret, row.id, attempt.device)
        session_id, cause = opening.grant.session_id, (attempt.correlation_id, attempt.traceparent)
        visits.append(Visit(row, session_id, attempt.device, mark, *cause))
        sessions.append(session_row(visits[-1], opening.opened_at))
        tokens.append(token_row(services, opening.grant, digest(opening.token)))
        if opening.new_hash:
            hashes.append({"wanted": row.id, "old_hash": row.password_hash, "new_hash": opening.new_hash})
    if hashes:  # unless another sign-in has done so
        connection.execute(REPLACE_HASH, hashes)
    if services.new_device_mail:
        tell_of_new_devices(connection, services, visits)
    # Not `insert`: a commit whose answer was lost is run again, perhaps before its first run can be seen.
    insert_new_rows(connection, session, sessions)
    insert_new_rows(connection, refresh_token, tokens)


def _settle(services: Services, decided: Sequence[Decided]) -> None:
    """After the transaction: what is counted elsewhere, and the blocks that begin; the sign-ins are stored already."""
    with outages_logged():
        if not services.lockout.in_database:
            services.lockout.give_back(_attempts_to_give_back(decided))
    with outages_logged():
        settle_guesses(services, _right_guesses(decided))
    for each in decided:
        if each.sign_in.begun.is_last and isinstance(each.outcome, BadCredentials):
            with outages_logged():
                services.lockout.block(each.sign_in.attempt.lockout_key)


def _attempts_to_give_back(decided: Sequence[Decided]) -> list[str]:
    return [attempt.lockout_key for attempt in _right_attempts(decided)]


def _right_guesses(decided: Sequence[Decided]) -> list[str]:
    return [attempt.client_ip for attempt in _right_attempts(decided)]


def _right_attempts(decided: Sequence[Decided]) -> list[Attempt]:
    """Those whose client is told that the password is right."""
    return [each.sign_in.attempt for each in decided if not isinstance(each.outcome, BadCredentials)]

"""Sessions, and the family of refresh tokens that keeps each of them alive."""

import re
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from functools import partial
from secrets import token_hex
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, select, update

from registration.keys.link_keys import digest
from registration.keys.signing_keys import Algorithm
from registration.outcomes import Done, RefreshOutcome, RefreshRefused, Tokens
from registration.records import audit
from registration.records.audit import AuditKind
from registration.services import Services
from registration.sessions.access_tokens import Caller, Grant, expiry, issue
from registration.sessions.devices import Visit, device_name, place_name
from registration.storage.database import insert_new
from registration.storage.tables import customer, refresh_token, session

# Legacy clients know the first characters; the rest are 256 random bits.
PREFIX = "def502"
SHAPE = re.compile(PREFIX + "[0-9a-f]{64}")
# The first use of a token, and one further use in the grace.
PAIRS_OF_A_TOKEN = 2


def new_token() -> str:
    """A refresh token; only its digest is stored."""
    return PREFIX + token_hex(32)


def session_row(visit: Visit, opened_at: datetime) -> dict[str, object]:
    """The row of the table `session`."""
    return {
        "id": visit.session_id,
        "customer_id": visit.customer_row.id,
        "created_at": opened_at,
        "device": device_name(visit.device),
        "place": place_name(visit.device),
        "device_mark": visit.mark,
    }


def token_row(services: Services, grant: Grant, new_digest: str, *, parent: str | None = None) -> dict[str, object]:
    """The row of the table `refresh_token`."""
    return {
        "digest": new_digest,
        "parent": parent,
        "session_id": grant.session_id,
        "customer_id": grant.customer_id,
        "expires_at": min(services.clock() + services.sessions.refresh_token, grant.session_ends_at),
    }


def new_grant(services: Services, customer_row: Row[Any], session_id: UUID, ends_at: datetime) -> Grant:
    """`customer_row` has the columns of the table `customer` that a sign-in looks up."""
    now = _after(customer_row.password_changed_at, services.clock())
    return Grant(customer_row.id, customer_row.reference, session_id, ends_at, now)


def token_pair(services: Services, grant: Grant, token: str, algorithm: Algorithm) -> Tokens:
    """The pair that a client gets; made after the transaction, because signing takes longer than writing."""
    return Tokens(
        access_token=issue(services, grant, algorithm),
        expires_in=round((expiry(services.sessions, grant) - grant.now).total_seconds()),
        refresh_token=token,
    )


def refresh(services: Services, token: str, client_ip: str, algorithm: Algorithm = "ES256") -> RefreshOutcome:
    """Use a refresh token up for a new pair. One that was used before ends its session: another client has a copy.

    In the grace after its first use it gets one further pair, so that two tabs of a browser do not sign each other out.
    When both pairs are refreshed later, two clients have the session, and it ends. The access token is signed by
    `algorithm` where there is such a key.
    """
    if not SHAPE.fullmatch(token):
        return RefreshRefused()
    successor = new_token()
    work = partial(_rotate, services, digest(token), digest(successor), client_ip)
    grant = services.database.write(work, knows_its_rows=True)
    return RefreshRefused() if grant is None else token_pair(services, grant, successor, algorithm)


def revoke(services: Services, caller: Caller, token: str, client_ip: str, *, keep_access: bool = False) -> Done:
    """End the session of this refresh token; a token that is not the caller's is ignored.

    With `keep_access` only its refresh tokens end. Access tokens then stay good until they expire, because legacy
    clients use theirs after this.
    """
    is_own = (refresh_token.c.digest == digest(token)) & (refresh_token.c.customer_id == caller.customer.id)
    session_id = services.database.read(
        lambda connection: connection.scalars(select(refresh_token.c.session_id).where(is_own)).one_or_none()
    )
    if session_id is not None:
        _revoke(services, caller, client_ip, session.c.id == session_id, keep_access=keep_access)
    return Done()


def revoke_all(services: Services, caller: Caller, client_ip: str, *, keep_access: bool = False) -> Done:
    """End all the caller's sessions; see `revoke`."""
    _revoke(services, caller, client_ip, keep_access=keep_access)
    return Done()


def revoke_one(services: Services, caller: Caller, session_id: UUID, client_ip: str) -> bool:
    """End a session of the caller; False when there is none with this id that has not ended."""
    return _revoke(services, caller, client_ip, session.c.id == session_id, keep_access=False)


def is_open(connection: Connection, session_id: UUID, customer_id: UUID) -> bool:
    """Whether the customer has this session, and it has not ended."""
    is_it = (session.c.id == session_id) & (session.c.customer_id == customer_id) & session.c.ended_at.is_(None)
    return connection.execute(select(session.c.id).where(is_it)).one_or_none() is not None


def end_sessions(connection: Connection, customer_id: UUID, now: datetime, keep: UUID | None = None) -> None:
    """End every session of a customer but `keep`, inside the caller's transaction: their tokens do not work any more.

    Update the customer's row first: a sign-in in flight with the old password then waits, and fails.
    """
    others = [] if keep is None else [session.c.id != keep]
    _end(connection, customer_id, now, *others)


def _rotate(
    services: Services, used_digest: str, new_digest: str, client_ip: str, connection: Connection
) -> Grant | None:
    now = services.clock()
    family = _lock_family(connection, used_digest)
    if family is None:
        return None
    used, issued = _read_token(connection, family, used_digest)
    if used is None or used.revoked_at:
        return None
    ends_at = family.created_at + services.sessions.longest
    # Else the commit of this transaction was not acknowledged, and it runs again.
    if new_digest not in issued:
        if _is_copied(connection, used, now - services.sessions.grace):
            _end_copied(connection, services, family, now, client_ip)
            return None
        if min(used.expires_at, ends_at) <= now or len(issued) == PAIRS_OF_A_TOKEN:
            return None
    connection.execute(
        update(refresh_token)
        .where(
            refresh_token.c.customer_id == family.customer_id,
            refresh_token.c.digest == used_digest,
            refresh_token.c.used_at.is_(None),
        )
        .values(used_at=now)
    )
    customer_row = connection.execute(select(customer).where(customer.c.id == family.customer_id)).one()
    grant = new_grant(services, customer_row, family.id, ends_at)
    # Not `insert`: a commit whose answer was lost is run again.
    insert_new(connection, refresh_token, token_row(services, grant, new_digest, parent=used_digest))
    return grant


def _is_copied(connection: Connection, used: Row[Any], grace_began: datetime) -> bool:
    """Whether two clients have the session: a token comes back after the grace, or both of its pairs are refreshed."""
    if used.used_at and used.used_at <= grace_began:
        return True
    if used.parent is None:
        return False
    is_sibling = (refresh_token.c.parent == used.parent) & (refresh_token.c.digest != used.digest)
    siblings = select(refresh_token.c.digest).where(
        _is_of(used.customer_id, used.session_id), is_sibling, refresh_token.c.used_at.is_not(None)
    )
    return connection.execute(siblings.limit(1)).first() is not None


def _read_token(connection: Connection, family: Row[Any], used_digest: str) -> tuple[Row[Any] | None, AbstractSet[str]]:
    """A token of a session, as it is under the lock, and the digests of those that were issued for it."""
    is_wanted = (refresh_token.c.digest == used_digest) | (refresh_token.c.parent == used_digest)
    found = connection.execute(select(refresh_token).where(_is_of(family.customer_id, family.id), is_wanted)).all()
    used = next((row for row in found if row.digest == used_digest), None)
    return used, {row.digest for row in found if row.parent == used_digest}


def _is_of(customer_id: UUID, session_id: UUID) -> ColumnElement[bool]:
    """Whether a refresh token is of a session of this customer."""
    return (refresh_token.c.customer_id == customer_id) & (refresh_token.c.session_id == session_id)


def _end_copied(connection: Connection, services: Services, family: Row[Any], now: datetime, client_ip: str) -> None:
    _end(connection, family.customer_id, now, session.c.id == family.id)
    kind = AuditKind.TOKEN_REUSE
    audit.record(connection, services.new_id(), kind, family.customer_id, now, client_ip=client_ip)


def _lock_family(connection: Connection, token_digest: str) -> Row[Any] | None:
    """Lock the session of a token; None if it has ended. Its tokens are changed only under this lock."""
    names = select(refresh_token.c.customer_id, refresh_token.c.session_id)
    named = connection.execute(names.where(refresh_token.c.digest == token_digest)).one_or_none()
    if named is None:
        return None
    is_named = (session.c.customer_id == named.customer_id) & (session.c.id == named.session_id)
    return connection.execute(
        select(session).where(is_named, session.c.ended_at.is_(None)).with_for_update()
    ).one_or_none()


def _after(changed_at: datetime | None, now: datetime) -> datetime:
    """`now`, or a moment after the last change of the password: the clock of its node may be ahead of ours."""
    return now if changed_at is None else max(now, changed_at + timedelta(microseconds=1))


def _revoke(services: Services, caller: Caller, client_ip: str, *which: ColumnElement[bool], keep_access: bool) -> bool:
    """End the open sessions of the caller that match `which`; True if there was one."""

    def work(connection: Connection) -> bool:
        now, customer_id = services.clock(), caller.customer.id
        is_own = session.c.customer_id == customer_id
        locked = select(session.c.id).where(is_own, session.c.ended_at.is_(None), *which).order_by(session.c.id)
        ids = connection.scalars(locked.with_for_update()).all()
        for session_id in ids:
            _revoke_tokens(connection, customer_id, session_id, now)
        if ids and not keep_access:
            connection.execute(update(session).where(is_own, session.c.id.in_(ids)).values(ended_at=now))
        if ids:
            audit.record(connection, services.new_id(), AuditKind.SIGN_OUT, customer_id, now, client_ip=client_ip)
        return bool(ids)

    return services.database.write(work)


def _end(connection: Connection, customer_id: UUID, now: datetime, *which: ColumnElement[bool]) -> None:
    is_open = (session.c.customer_id == customer_id) & session.c.ended_at.is_(None)
    ended = update(session).where(is_open, *which).values(ended_at=now).returning(session.c.id)
    for session_id in connection.scalars(ended).all():
        _revoke_tokens(connection, customer_id, session_id, now)


def _revoke_tokens(connection: Connection, customer_id: UUID, session_id: UUID, now: datetime) -> None:
    connection.execute(
        update(refresh_token)
        .where(_is_of(customer_id, session_id), refresh_token.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )

"""The sessions of a customer, as the customer sees and ends them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, exists, func, select

from registration.outcomes import Done, EndSessionOutcome, SessionUnknown
from registration.services import Services, SessionTerms
from registration.sessions.access_tokens import Caller
from registration.sessions.sessions import revoke_one
from registration.storage.tables import refresh_token, session

MOST = 20
"""A customer with more sessions sees those used last; the others end by `revoke_all` or by themselves."""
IS_OF_SESSION = (refresh_token.c.customer_id == session.c.customer_id) & (refresh_token.c.session_id == session.c.id)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session of which a token can still work.

    `last_used_at` is when it was last refreshed, or opened: uses of an access token are not written down. `device` and
    `place` are None where they are not known.
    """

    id: UUID
    device: str | None = field(repr=False)
    place: str | None = field(repr=False)
    first_used_at: datetime
    last_used_at: datetime
    is_current: bool


def open_sessions(services: Services, caller: Caller) -> Sequence[OpenSession]:
    """The caller's open sessions, first the caller's own, then the one used last; at most `MOST`."""
    # A use is written down with the token that was used: its row is kept for longer than the token after it.
    used = select(func.max(refresh_token.c.used_at)).where(IS_OF_SESSION)
    last_used = func.coalesce(used.scalar_subquery(), session.c.created_at, type_=session.c.created_at.type)
    statement = (
        select(session.c.id, session.c.device, session.c.place, session.c.created_at, last_used.label("last_used_at"))
        .where(session.c.customer_id == caller.customer.id, _is_open(services.sessions, services.clock()))
        .order_by((session.c.id == caller.session_id).desc(), last_used.desc(), session.c.id)
        .limit(MOST)
    )

    def look(connection: Connection) -> Sequence[OpenSession]:
        return [OpenSession(*row, is_current=row.id == caller.session_id) for row in connection.execute(statement)]

    return services.database.read(look)


def end_session(services: Services, caller: Caller, session_id: str, client_ip: str) -> EndSessionOutcome:
    """End one of the caller's open sessions, its access tokens too; it may be the caller's own."""
    try:
        wanted = UUID(session_id)
    except ValueError:
        return SessionUnknown()
    return Done() if revoke_one(services, caller, wanted, client_ip) else SessionUnknown()


def _is_open(terms: SessionTerms, now: datetime) -> ColumnElement[bool]:
    """Whether a session has a refresh token that works, or one revoked so lately that an access token may still do.

    The JSON:API door revokes refresh tokens alone (decision 0029).
    """
    lately = now - terms.access_token
    can_work = refresh_token.c.revoked_at.is_(None) | (refresh_token.c.revoked_at > lately)
    has_token = exists().where(IS_OF_SESSION, refresh_token.c.expires_at > now, can_work)
    return session.c.ended_at.is_(None) & (session.c.created_at > now - terms.longest) & has_token

"""Sessions: a sign-in and the refresh tokens that keep it alive; it never knows what a token allows."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, update

from registration.tables import refresh_token, session


def end_sessions(connection: Connection, customer_id: UUID, now: datetime, keep: UUID | None = None) -> None:
    """End every session of a customer but `keep`, inside the caller's transaction: no token of them works any more.

    Lock or update the customer's row first: a sign-in that is under way with the old password then waits, and fails.
    """
    others = [] if keep is None else [session.c.id != keep]
    connection.execute(
        update(session)
        .where(session.c.customer_id == customer_id, session.c.ended_at.is_(None), *others)
        .values(ended_at=now)
    )
    others = [] if keep is None else [refresh_token.c.session_id != keep]
    connection.execute(
        update(refresh_token)
        .where(refresh_token.c.customer_id == customer_id, refresh_token.c.revoked_at.is_(None), *others)
        .values(revoked_at=now)
    )

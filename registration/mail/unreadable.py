"""Mails whose row holds a value that is none of its column's type: reading them together with others fails for all."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, String, cast, select, update

from registration.mail.outbox import CLAIMED, IS_WAITING, due
from registration.storage.outages import is_about_a_row
from registration.storage.tables import mail

RAW_ID = cast(mail.c.id, String)  # which can be read whatever the column holds


def has_raw_id(raw_id: str) -> ColumnElement[bool]:
    return cast(mail.c.id, String) == raw_id


def park_unreadable(connection: Connection, now: datetime, limit: int) -> None:
    """Park those of the next mails to claim that cannot be read."""
    for raw_id in connection.scalars(due(RAW_ID), {"now": now, "limit": limit}).all():
        is_it = IS_WAITING & has_raw_id(raw_id)
        try:
            connection.execute(select(*CLAIMED).where(is_it)).all()
        except Exception as error:
            if not is_about_a_row(error):
                raise
            reason = f"the row cannot be read: {type(error).__name__}"
            parked = {"status": "parked", "settled_at": now, "reason": reason, "recipient": None}
            connection.execute(update(mail).where(is_it).values(parked))

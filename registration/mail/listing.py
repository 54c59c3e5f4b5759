"""What an operator sees of the outbox, and the retry of mails that were given up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, select, update

from registration.mail.outbox import IS_WAITING, RAW_ID, has_raw_id
from registration.storage.outages import is_about_a_row
from registration.storage.tables import customer, mail


@dataclass(frozen=True, slots=True)
class MailRecord:
    """What an operator sees of a mail; `status` is waiting, sent, dropped (not needed any more) or parked.

    `reference` is that of its customer; None when the customer is gone. Of a row that cannot be read, the id is as it
    is stored, and the moments are None.
    """

    id: UUID | str
    kind: str
    status: str
    attempts: int
    created_at: datetime | None
    due_at: datetime | None
    reason: str | None
    reference: str | None


READABLE = (mail.c.kind, mail.c.status, mail.c.attempts, mail.c.reason)


def list_mails(connection: Connection, status: str | None, limit: int) -> list[MailRecord]:
    """The newest mails of a status; without one, of those that were given up, or that have failed and wait."""
    has_failed = (mail.c.status == "parked") | (IS_WAITING & mail.c.reason.is_not(None))
    is_chosen = mail.c.status == status if status else has_failed
    statement = (
        select(mail.c.id, *READABLE, mail.c.created_at, mail.c.due_at, mail.c.customer_id)
        .where(is_chosen)
        .order_by(mail.c.created_at.desc())
        .limit(limit)
    )
    try:
        return _read(connection, statement)
    except Exception as error:
        if not is_about_a_row(error):
            raise
    ids = connection.scalars(select(RAW_ID).where(is_chosen).order_by(mail.c.created_at.desc()).limit(limit)).all()
    return [_read_one(connection, statement, raw_id) for raw_id in ids]


def _read(connection: Connection, statement: Select[Any]) -> list[MailRecord]:
    """Two look-ups, because a mail and its customer may lie on different nodes."""
    mails = connection.execute(statement).all()
    owners = {row.customer_id for row in mails}
    named = connection.execute(select(customer.c.id, customer.c.reference).where(customer.c.id.in_(owners)))
    references = {row.id: row.reference for row in named}
    return [
        MailRecord(
            row.id,
            row.kind,
            row.status,
            row.attempts,
            row.created_at,
            row.due_at,
            row.reason,
            reference=references.get(row.customer_id),
        )
        for row in mails
    ]


def _read_one(connection: Connection, statement: Select[Any], raw_id: str) -> MailRecord:
    try:
        [record] = _read(connection, statement.where(has_raw_id(raw_id)))
    except Exception:  # an outage fails the next statement, too
        row = connection.execute(select(*READABLE).where(has_raw_id(raw_id))).mappings().one()
        return MailRecord(**row, id=raw_id, created_at=None, due_at=None, reference=None)
    return record


def retry_mails(connection: Connection, now: datetime, ids: Sequence[UUID] | None = None) -> int:
    """Make parked mails due again, all of them if no ids are given; returns their number."""
    chosen = [] if ids is None else [mail.c.id.in_(ids)]
    return connection.execute(
        update(mail)
        .where(mail.c.status == "parked", *chosen)
        .values(status="waiting", attempts=0, due_at=now, settled_at=None, reason=None, failing_since=None)
    ).rowcount

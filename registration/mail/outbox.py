"""The outbox: mails that transactions have promised, without their bodies, until they are sent."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import Connection, Select, insert, literal_column, select, update

from registration.correlation import current_correlation_id
from registration.storage.inserts import Inserting
from registration.storage.tables import mail

BUCKETS = 16
# How long a claimed mail belongs to its relay, which renews it while a mail server takes longer.
LEASE = timedelta(minutes=5)
REASON_LENGTH = 500
# A constant in the statement, because SQLite uses a partial index for nothing else.
IS_WAITING = mail.c.status == literal_column("'waiting'")

# Built once: SQLAlchemy builds and compares a statement with values in it anew for every execution.
INSERT = insert(mail)

Settled = Literal["sent", "dropped", "parked"]


@dataclass(frozen=True, slots=True)
class Job:
    """One mail to send; `attempts` counts the claims and tells them apart.

    `failing_since` is when the recipient's side first did not take the mail; None before that, and after a failure of
    ours. `recipient` is None when the mail goes to the address that the customer has at sending.
    """

    id: UUID
    kind: str
    customer_id: UUID
    token_id: UUID | None
    attempts: int
    created_at: datetime
    failing_since: datetime | None = None
    recipient: str | None = field(default=None, repr=False)
    correlation_id: str | None = None


def enqueue(
    connection: Inserting,
    *,
    kind: str,
    customer_id: UUID,
    token_id: UUID | None,
    now: datetime,
    recipient: str | None = None,
    correlation_id: str = "",
) -> None:
    """Promise a mail inside the caller's transaction; without a recipient it goes to the customer's address.

    `correlation_id` is that of the present request unless it is given, as by a thread that works for several.
    """
    mail_id = uuid4()
    row = {
        "id": mail_id,
        "bucket": mail_id.int % BUCKETS,
        "kind": kind,
        "customer_id": customer_id,
        "token_id": token_id,
        "status": "waiting",
        "attempts": 0,
        "due_at": now,
        "created_at": now,
        "recipient": recipient,
        "correlation_id": correlation_id or current_correlation_id() or None,
    }
    connection.execute(INSERT, row)


def withdraw(connection: Connection, kind: str, customer_id: UUID, now: datetime) -> None:
    """Drop a customer's waiting mails of a kind, inside the caller's transaction that enqueues a newer one."""
    connection.execute(
        update(mail)
        .where(mail.c.customer_id == customer_id, mail.c.kind == kind, IS_WAITING)
        .values(status="dropped", settled_at=now, reason="replaced by a newer one")
    )


def due_buckets(connection: Connection, now: datetime) -> list[int]:
    """The buckets with something to send; only reads, so that an idle relay takes no lock."""
    return list(connection.scalars(select(mail.c.bucket).where(IS_WAITING, mail.c.due_at <= now).distinct()))


CLAIMED = tuple(mail.c[each.name] for each in fields(Job))


def claim(connection: Connection, bucket: int, now: datetime, limit: int) -> list[Job]:
    """Claim mails for the time of a lease, the longest due first; no other relay gets them before it ends.

    At most `limit` mails; skips those that another transaction has locked.
    """
    ids = connection.scalars(due(select(mail.c.id), bucket, now, limit)).all()
    rows = connection.execute(
        update(mail)
        .where(mail.c.id.in_(ids))
        .values(attempts=mail.c.attempts + 1, due_at=now + LEASE)
        .returning(*CLAIMED)
    )
    return [Job(**row) for row in rows.mappings()]


def due(statement: Select[Any], bucket: int, now: datetime, limit: int) -> Select[Any]:
    """The statement for the mails of a bucket to claim next, which it locks."""
    return (
        statement.where(mail.c.bucket == bucket, IS_WAITING, mail.c.due_at <= now)
        .order_by(mail.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def settle(connection: Connection, job: Job, status: Settled, now: datetime, reason: str | None = None) -> None:
    """Close a mail. `sent` is recorded unconditionally, other outcomes only by the current holder of the lease."""
    holds = [] if status == "sent" else [mail.c.attempts == job.attempts]
    recipient = job.recipient if status == "parked" else None
    connection.execute(
        update(mail)
        .where(mail.c.id == job.id, IS_WAITING, *holds)
        .values(status=status, settled_at=now, reason=reason and reason[:REASON_LENGTH], recipient=recipient)
    )


def postpone(connection: Connection, job: Job, due_at: datetime, reason: str, failing_since: datetime | None) -> None:
    """Let a claimed mail wait until `due_at`; nothing happens once the lease is another's."""
    _change(connection, job, due_at=due_at, reason=reason[:REASON_LENGTH], failing_since=failing_since)


def give_back(connection: Connection, job: Job, now: datetime) -> None:
    """Make a claimed mail due again, as if it had not been claimed; nothing happens once the lease is another's."""
    _change(connection, job, due_at=now)


def renew(connection: Connection, job: Job, now: datetime) -> None:
    """Begin the lease of a claimed mail anew; nothing happens once it is another's."""
    _change(connection, job, due_at=now + LEASE)


def _change(connection: Connection, job: Job, **values: object) -> None:
    holds = mail.c.attempts == job.attempts
    connection.execute(update(mail).where(mail.c.id == job.id, IS_WAITING, holds).values(**values))


def retry_mails(connection: Connection, now: datetime, ids: Sequence[UUID] | None = None) -> int:
    """Make parked mails due again, all of them if no ids are given; returns their number."""
    chosen = [] if ids is None else [mail.c.id.in_(ids)]
    return connection.execute(
        update(mail)
        .where(mail.c.status == "parked", *chosen)
        .values(status="waiting", attempts=0, due_at=now, settled_at=None, reason=None, failing_since=None)
    ).rowcount

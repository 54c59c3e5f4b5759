"""The outbox: mails that transactions have promised, without their bodies, until they are sent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, Integer, Select, String, Subquery, bindparam, cast, insert
from sqlalchemy.sql.expression import literal_column, select, tuple_, union_all, update

from registration.notes import current_correlation_id
from registration.storage.inserts import Inserting
from registration.storage.outages import is_about_a_row
from registration.storage.tables import mail
from registration.tracing import traces

BUCKETS = 16
OWN_BUCKET = uuid4().int  # lets processes use different buckets in the same second
# How long a claimed mail belongs to its relay, which renews it while a mail server takes longer.
LEASE = timedelta(minutes=5)
REASON_LENGTH = 500
# A constant in the statement, because SQLite uses a partial index for nothing else.
IS_WAITING = mail.c.status == literal_column("'waiting'")

RAW_ID = cast(mail.c.id, String)  # which can be read whatever the column holds
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
    traceparent: str | None = None


def enqueue(
    connection: Inserting,
    *,
    kind: str,
    customer_id: UUID,
    token_id: UUID | None,
    now: datetime,
    recipient: str | None = None,
    correlation_id: str = "",
    traceparent: str | None = None,
) -> None:
    """Promise a mail inside the caller's transaction; without a recipient it goes to the customer's address.

    `correlation_id` and `traceparent` are those of the present request unless they are given, as by a thread that works
    for several.
    """
    mail_id = _new_id(now)
    row = {
        "id": mail_id,
        "bucket": bucket_of(mail_id),
        "kind": kind,
        "customer_id": customer_id,
        "token_id": token_id,
        "status": "waiting",
        "attempts": 0,
        "due_at": now,
        "created_at": now,
        "recipient": recipient,
        "correlation_id": correlation_id or current_correlation_id() or None,
        "traceparent": traceparent or traces.traceparent(),
    }
    connection.execute(INSERT, row)


def bucket_of(mail_id: UUID) -> int:
    """The bucket of a mail, which its id tells."""
    return mail_id.int % BUCKETS


def _new_id(now: datetime) -> UUID:
    """An id that is random but for its bucket.

    The mails that a process promises within a second share the bucket: those that are claimed together are in few, and
    a claim takes a statement for each of them.
    """
    bucket = (OWN_BUCKET + int(now.timestamp())) % BUCKETS
    return UUID(int=uuid4().int // BUCKETS * BUCKETS + bucket)


def withdraw(connection: Connection, kind: str, customer_id: UUID, now: datetime) -> None:
    """Drop a customer's unsent mails of a kind, inside the caller's transaction that enqueues a newer one.

    Parked ones, too: an operator who queues them again would queue links that are replaced.
    """
    connection.execute(
        update(mail)
        .where(mail.c.customer_id == customer_id, mail.c.kind == kind, mail.c.status.in_(("waiting", "parked")))
        .values(status="dropped", settled_at=now, reason="replaced by a newer one")
    )


CLAIMED = tuple(mail.c[each.name] for each in fields(Job))


def due_ids(connection: Connection, now: datetime, limit: int) -> list[UUID]:
    """The mails to claim next, the longest due first; only reads, so that an idle relay takes no lock."""
    return list(connection.scalars(due(mail.c.id), {"now": now, "limit": limit}))


# Built once, as above.
STILL_DUE = (
    select(mail.c.id)
    .where(
        mail.c.bucket == bindparam("wanted_bucket"),
        mail.c.id.in_(bindparam("ids", expanding=True)),
        IS_WAITING,
        mail.c.due_at <= bindparam("now"),
    )
    .with_for_update(skip_locked=True)
)
IS_GIVEN = mail.c.bucket.in_(bindparam("buckets", expanding=True)) & mail.c.id.in_(bindparam("ids", expanding=True))
CLAIM = update(mail).where(IS_GIVEN).values(attempts=mail.c.attempts + 1, due_at=bindparam("until")).returning(*CLAIMED)


def claim(connection: Connection, ids: Sequence[UUID], now: datetime) -> list[Job]:
    """Claim those of the mails that are due still, for the time of a lease; no other relay gets them before it ends.

    Skips those that another transaction has locked. The jobs are in the order of the ids.
    """
    locked = [mail_id for bucket in sorted(_buckets(ids)) for mail_id in _lock(connection, ids, bucket, now)]
    rows = connection.execute(CLAIM, {"ids": locked, "buckets": _buckets(locked), "until": now + LEASE})
    return sorted((Job(*row) for row in rows), key=lambda job: ids.index(job.id))


def _lock(connection: Connection, ids: Sequence[UUID], bucket: int, now: datetime) -> Sequence[UUID]:
    """Those of one bucket: an engine of several nodes locks rows of one shard only."""
    return connection.scalars(STILL_DUE, {"ids": ids, "wanted_bucket": bucket, "now": now}).all()


def _buckets(ids: Iterable[UUID]) -> set[int]:
    return {bucket_of(mail_id) for mail_id in ids}


@cache
def due(column: ColumnElement[Any]) -> Select[Any]:
    """The statement for a column of the mails to claim next; its parameters are `now` and `limit`.

    It takes the longest due from each bucket, and of those the longest due: the index begins with the bucket, and no
    more of it is read than needed, however many mails wait.
    """
    heads = union_all(*(select(_head(column, bucket)) for bucket in range(BUCKETS))).subquery()
    return select(heads.c.wanted).order_by(heads.c.due_at).limit(bindparam("limit", type_=Integer))


def _head(column: ColumnElement[Any], bucket: int) -> Subquery:
    return (
        select(column.label("wanted"), mail.c.due_at)
        .where(mail.c.bucket == bucket, IS_WAITING, mail.c.due_at <= bindparam("now", type_=mail.c.due_at.type))
        .order_by(mail.c.due_at)
        .limit(bindparam("limit", type_=Integer))
        .subquery()
    )


SENT = (
    update(mail)
    .where(IS_GIVEN, IS_WAITING)
    .values(status="sent", settled_at=bindparam("now"), reason=bindparam("why"), recipient=None)
)


def settle(
    connection: Connection, jobs: Sequence[Job], status: Settled, now: datetime, reason: str | None = None
) -> None:
    """Close mails. `sent` is recorded unconditionally, other outcomes only by the current holder of the lease."""
    reason = reason and reason[:REASON_LENGTH]
    if status == "sent":
        ids = [job.id for job in jobs]
        connection.execute(SENT, {"ids": ids, "buckets": _buckets(ids), "now": now, "why": reason})
        return
    # The address of a mail is kept for as long as the mail may still be sent.
    recipient = {} if status == "parked" else {"recipient": None}
    closed = {"status": status, "settled_at": now, "reason": reason}
    connection.execute(update(mail).where(_held(jobs), IS_WAITING).values(closed | recipient))


def postpone(
    connection: Connection, jobs: Sequence[Job], due_at: datetime, reason: str, failing_since: datetime | None
) -> None:
    """Let claimed mails wait until `due_at`, but those that another relay has claimed since."""
    _change(connection, jobs, due_at=due_at, reason=reason[:REASON_LENGTH], failing_since=failing_since)


def give_back(connection: Connection, jobs: Sequence[Job], now: datetime) -> None:
    """Make claimed mails due again, as if not claimed, but those that another relay has claimed since."""
    _change(connection, jobs, due_at=now)


def renew(connection: Connection, jobs: Sequence[Job], now: datetime) -> None:
    """Begin the leases of claimed mails anew, but those that another relay has claimed since."""
    _change(connection, jobs, due_at=now + LEASE)


def _change(connection: Connection, jobs: Sequence[Job], **values: object) -> None:
    connection.execute(update(mail).where(_held(jobs), IS_WAITING).values(**values))


def _held(jobs: Sequence[Job]) -> ColumnElement[bool]:
    """The mails whose latest claim is this one."""
    latest = tuple_(mail.c.id, mail.c.attempts).in_([(job.id, job.attempts) for job in jobs])
    return mail.c.bucket.in_(_buckets(job.id for job in jobs)) & latest


def has_raw_id(raw_id: str) -> ColumnElement[bool]:
    return cast(mail.c.id, String) == raw_id


def park_unreadable(connection: Connection, now: datetime, limit: int) -> None:
    """Park those of the next mails to claim whose row holds a value that is none of its column's type.

    To read them together with others would fail for all.
    """
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

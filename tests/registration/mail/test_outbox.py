"""The outbox on real databases."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, event

from registration.mail import listing, outbox
from registration.mail.listing import MailRecord, list_mails
from registration.mail.outbox import BUCKETS, LEASE, Job, bucket_of
from registration.storage.database import Database, open_database
from registration.storage.tables import mail
from tests.registration.people import NOW
from tests.registration.statements import statements_of
from tests.registration.stored import rows

LATER = NOW + timedelta(seconds=1)


def post(database: Database, number: int = 1, now: datetime = NOW) -> None:
    def work(connection: Connection) -> None:
        for _ in range(number):
            outbox.enqueue(connection, kind="confirmation", customer_id=uuid4(), token_id=uuid4(), now=now)

    database.write(work)


def claim(database: Database, now: datetime = NOW) -> list[Job]:
    """Claim every mail that is due."""

    def work(connection: Connection) -> list[Job]:
        return outbox.claim(connection, outbox.due_ids(connection, now, 1000), now)

    return database.write(work)


def listed(database: Database, status: str) -> list[MailRecord]:
    return database.read(lambda connection: list_mails(connection, status, 1000))


def settle(
    database: Database, job: Job, status: outbox.Settled, reason: str | None = None, now: datetime = NOW
) -> None:
    database.write(lambda connection: outbox.settle(connection, [job], status, now, reason))


def test_a_mail_is_promised_by_its_transaction(database: Database) -> None:
    """A transaction that fails leaves no mail in the outbox."""

    def work(connection: Connection) -> None:
        outbox.enqueue(connection, kind="welcome", customer_id=uuid4(), token_id=None, now=NOW)
        raise KeyError

    with pytest.raises(KeyError):
        database.write(work)
    assert claim(database) == []


def test_a_job_says_what_to_send(database: Database) -> None:
    """A claimed job holds what the transaction promised."""
    customer_id, token_id = uuid4(), uuid4()
    database.write(
        lambda connection: outbox.enqueue(
            connection, kind="confirmation", customer_id=customer_id, token_id=token_id, now=NOW
        )
    )
    [job] = claim(database)
    assert job == Job(job.id, "confirmation", customer_id, token_id, attempts=1, created_at=NOW)


def test_the_columns_hold_no_key() -> None:
    """The outbox has the random ids of customer and token, and one column for the address of a fixed recipient."""
    assert set(mail.c.keys()) == {
        "id", "bucket", "kind", "customer_id", "token_id", "status", "attempts", "due_at", "created_at", "settled_at",
        "reason", "failing_since", "recipient", "correlation_id", "traceparent",
    }  # fmt: skip


def test_mails_spread_over_buckets(database: Database) -> None:
    """Each second has the next of sixteen buckets, and `due_ids` finds the mails of all of them that are due."""
    for second in range(BUCKETS):
        post(database, 25, NOW + timedelta(seconds=second))
        assert len({row["bucket"] for row in rows(database, mail)}) == second + 1
    assert all(row["bucket"] == bucket_of(row["id"]) for row in rows(database, mail))
    last = NOW + timedelta(seconds=BUCKETS - 1)
    assert len(database.read(lambda connection: outbox.due_ids(connection, last, 1000))) == 400
    assert database.read(lambda connection: outbox.due_ids(connection, NOW - timedelta(seconds=1), 1000)) == []


def test_mails_that_were_promised_together_are_locked_together(database: Database) -> None:
    """The mails of one second are in one bucket, so that their claim is three statements: find, lock, claim."""
    post(database, 64)
    jobs, said = statements_of(lambda: claim(database))
    assert len(jobs) == 64
    assert len([statement for statement in said if not statement.startswith("BEGIN")]) == 3


def test_a_claim_is_exclusive_until_its_lease_ends(database: Database) -> None:
    """A claimed mail cannot be claimed again before its lease ends, and can be afterwards: a relay may have died."""
    post(database)
    [first] = claim(database)
    assert claim(database, NOW + LEASE - timedelta(seconds=1)) == []
    [second] = claim(database, NOW + LEASE)
    assert (second.id, second.attempts) == (first.id, 2)


def test_the_longest_due_come_first(database: Database) -> None:
    """Claims take the mails that have been due for the longest, from whatever bucket, and in that order."""
    for second in (2, 1, 0):
        post(database, 20, NOW + timedelta(seconds=second))
    claimed = [job.created_at for jobs in iter(partial(claim_some, database), []) for job in jobs]
    assert claimed == sorted(claimed)
    assert len(claimed) == 60


def claim_some(database: Database) -> list[Job]:
    now = NOW + timedelta(seconds=2)
    return database.write(lambda connection: outbox.claim(connection, outbox.due_ids(connection, now, 7), now))


@pytest.mark.parametrize("status", ["sent", "dropped", "parked"])
def test_a_settled_mail_is_not_claimed_again(database: Database, status: outbox.Settled) -> None:
    """A mail that is sent, dropped or parked is not claimed again."""
    post(database)
    [job] = claim(database)
    settle(database, job, status, "because " * 100)
    [entry] = listed(database, status)
    assert entry == MailRecord(job.id, "confirmation", status, 1, NOW, NOW + LEASE, ("because " * 100)[:500], None)
    assert claim(database, NOW + timedelta(days=9)) == []


def test_a_postponed_mail_waits(database: Database) -> None:
    """A mail that is given back is due again at its time, and shows the reason."""
    post(database)
    [job] = claim(database)
    database.write(lambda connection: outbox.postpone(connection, [job], LATER, "greylisted", NOW))
    assert claim(database, NOW) == []
    assert [entry.reason for entry in listed(database, "waiting")] == ["greylisted"]
    assert [(again.id, again.failing_since) for again in claim(database, LATER)] == [(job.id, NOW)]


def test_a_mail_that_is_given_back_is_as_before(database: Database) -> None:
    """A mail that is given back is due, with the reason and the beginning of its failure that it had."""
    post(database)
    [job] = claim(database)
    database.write(lambda connection: outbox.postpone(connection, [job], LATER, "greylisted", NOW))
    [again] = claim(database, LATER)
    database.write(lambda connection: outbox.give_back(connection, [again], LATER))
    [entry] = listed(database, "waiting")
    assert (entry.due_at, entry.reason) == (LATER, "greylisted")
    assert [third.failing_since for third in claim(database, LATER)] == [NOW]


def test_a_lease_can_be_renewed(database: Database) -> None:
    """A renewed lease lasts from its renewal on."""
    post(database)
    [job] = claim(database)
    database.write(lambda connection: outbox.renew(connection, [job], LATER))
    assert claim(database, NOW + LEASE) == []
    assert [again.id for again in claim(database, LATER + LEASE)] == [job.id]


def test_a_relay_without_the_lease_can_only_record_sent(database: Database) -> None:
    """A relay that has lost its lease cannot park or postpone the mail; that it was sent is recorded."""
    post(database)
    [slow] = claim(database)
    [quick] = claim(database, NOW + LEASE)
    settle(database, slow, "parked", "too slow")
    database.write(lambda connection: outbox.postpone(connection, [slow], NOW, "too slow", NOW))
    database.write(lambda connection: outbox.give_back(connection, [slow], NOW))
    database.write(lambda connection: outbox.renew(connection, [slow], NOW + 9 * LEASE))
    [entry] = listed(database, "waiting")
    assert (entry.attempts, entry.due_at, entry.reason) == (2, NOW + 2 * LEASE, None)
    settle(database, slow, "sent")
    settle(database, quick, "parked", "refused")
    assert [entry.reason for entry in listed(database, "sent")] == [None]


def test_parked_mails_can_be_sent_again(database: Database) -> None:
    """An operator re-queues chosen parked mails, or all of them; the others stay as they are."""
    post(database, 4)
    one, two, three, sent = claim(database)
    for job in (one, two, three):
        settle(database, job, "parked", "refused")
    settle(database, sent, "sent")
    assert retry(database, [one.id, sent.id, uuid4()]) == 1
    assert retry(database, None) == 2
    assert retry(database, None) == 0
    again = claim(database, LATER)
    assert {job.id for job in again} == {one.id, two.id, three.id}
    assert {job.attempts for job in again} == {1}


def retry(database: Database, ids: list[UUID] | None) -> int:
    return database.write(lambda connection: listing.retry_mails(connection, LATER, ids))


def test_the_newest_are_listed_first(database: Database) -> None:
    """A list shows the newest mails of a status first."""
    for second in range(3):
        post(database, now=NOW + timedelta(seconds=second))
    entries = database.read(lambda connection: list_mails(connection, "waiting", 2))
    assert [entry.created_at for entry in entries] == [NOW + timedelta(seconds=2), NOW + timedelta(seconds=1)]


def test_two_claims_at_once_share_the_mails(postgresql_url: str) -> None:
    """On PostgreSQL a relay claims the mails that another one has not claimed yet, without waiting for it."""
    first, second = open_database(postgresql_url), open_database(postgresql_url, wait=1)
    post(first, 3)

    def work(connection: Connection) -> tuple[list[Job], list[Job]]:
        mine = outbox.claim(connection, outbox.due_ids(connection, NOW, 2), NOW)
        return mine, claim(second)

    mine, others = first.write(work)
    first.close()
    second.close()
    assert len(mine) + len(others) == 3
    assert {job.id for job in mine}.isdisjoint(job.id for job in others)


def test_looking_for_mails_uses_the_index(sqlite_url: str) -> None:
    """The statements that look for mails use the index of waiting mails."""
    database = open_database(sqlite_url)
    seen: list[tuple[str, Any]] = []
    event.listen(database.engine, "before_cursor_execute", lambda *call: seen.append((call[2], call[3])))
    ids = database.write(lambda connection: outbox.due_ids(connection, NOW, 20))
    database.write(lambda connection: outbox.claim(connection, [*ids, uuid4()], NOW))
    looks = [(sql, values) for sql, values in seen if sql.startswith("SELECT")]
    assert len(looks) == 2
    for sql, values in looks:
        plan = database.write(lambda connection: connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all())  # noqa: B023
        assert not any(step.detail.startswith("SCAN mail") for step in plan)
    database.close()

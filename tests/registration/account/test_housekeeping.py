"""Housekeeping deletes expired rows, and no others."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, Table, insert
from sqlalchemy.event import listen, remove

from registration.account.housekeeping import Housekeeping
from registration.outcomes import Accepted, Registered
from registration.records.audit import forget_strangers
from registration.services import Services
from registration.settings import Settings
from registration.signing_up.confirmation import resend_confirmation
from registration.storage.database import Database
from registration.storage.tables import (
    alert_token,
    attempt,
    audit,
    confirmation_token,
    customer,
    email_change,
    event,
    export_token,
    idempotency,
    mail,
    refresh_token,
    reset_token,
    session,
    used_key,
)
from registration.wiring import housekeeping
from tests.clock import Clock
from tests.registration.forms import request
from tests.registration.mail.test_outbox import claim, post
from tests.registration.members import CLIENT, confirmed
from tests.registration.signing import sign_up
from tests.registration.stored import counts, rows
from tests.registration.tidying import DAY, KEEPING, tidied

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LONG_AGO = NOW - 31 * DAY


def mail_row(settled_at: datetime | None, status: str) -> dict[str, object]:
    facts = {"id": uuid4(), "bucket": 1, "kind": "confirmation", "customer_id": uuid4(), "token_id": None}
    return facts | {
        "status": status,
        "attempts": 1,
        "due_at": LONG_AGO,
        "created_at": LONG_AGO,
        "settled_at": settled_at,
    }


def token_row(expires_at: datetime) -> dict[str, object]:
    return {"digest": uuid4().hex, "customer_id": uuid4(), "expires_at": expires_at}


def stored(moment: datetime) -> dict[Table, dict[str, object]]:
    """One row for every table that is tidied up, which has expired, or was settled, at `moment`."""
    return {
        mail: mail_row(moment, "sent"),
        attempt: {"key": uuid4().hex, "count": 1, "window_ends_at": moment},
        idempotency: {"key": uuid4().hex, "fingerprint": "", "expires_at": moment},
        confirmation_token: token_row(moment),
        reset_token: token_row(moment),
        email_change: token_row(moment) | {"email": "new@example.org"},
        alert_token: token_row(moment) | {"email": "ada@example.org"},
        export_token: token_row(moment),
        used_key: token_row(moment) | {"kind": "reset"},
        refresh_token: token_row(moment) | {"session_id": uuid4()},
        session: {"id": uuid4(), "customer_id": uuid4(), "created_at": moment - KEEPING.session},
        audit: {"id": uuid4(), "kind": "sign-in", "customer_id": uuid4(), "created_at": moment - 30 * DAY},
        event: {"id": uuid4(), "kind": "made-up", "customer_id": uuid4(), "created_at": moment - 15 * DAY},
    }


def store(database: Database, given: dict[Table, dict[str, object]]) -> None:
    def work(connection: Connection) -> None:
        for table, row in given.items():
            connection.execute(insert(table).values(row))

    database.write(work)


def test_expired_rows_are_deleted(database: Database) -> None:
    """Rows that expired a month ago are deleted from every table, one table in a slice."""
    store(database, stored(LONG_AGO))
    assert tidied(database, NOW) == [1] * 13
    assert counts(database) == {}


def test_other_rows_stay(database: Database) -> None:
    """Rows that have not expired stay in every table."""
    store(database, stored(NOW + timedelta(seconds=1)))
    assert tidied(database, NOW) == []
    assert [len(rows(database, table)) for table in stored(NOW)] == [1] * 13


def test_a_waiting_mail_stays_however_old(database: Database) -> None:
    """A mail that waits is not deleted, however old it is."""
    store(database, {mail: mail_row(None, "waiting")})
    assert tidied(database, NOW) == []
    assert len(rows(database, mail)) == 1


def test_strangers_are_forgotten(database: Database) -> None:
    """Audit rows without a customer are emptied after a month; those of customers keep their personal columns."""

    theirs = {"client_ip": "192.0.2.1", "email_key": "ada@example.org"}

    def entry(created_at: datetime, customer_id: UUID | None = None, **changes: None) -> None:
        facts = {"id": uuid4(), "kind": "sign-in failure", "customer_id": customer_id, "created_at": created_at}
        store(database, {audit: {**facts, **theirs, **changes}})

    entry(LONG_AGO)
    entry(LONG_AGO, client_ip=None)
    entry(LONG_AGO, email_key=None)
    entry(NOW)
    entry(LONG_AGO, uuid4())
    assert tidied(database, NOW, limit=2) == [2, 1]
    left = [(row["created_at"], row["client_ip"], row["email_key"]) for row in rows(database, audit)]
    assert sorted(left, key=repr) == sorted(
        [(LONG_AGO, None, None)] * 3 + [(each, "192.0.2.1", "ada@example.org") for each in (NOW, LONG_AGO)], key=repr
    )


def test_strangers_are_found_by_an_index_of_their_own(database: Database) -> None:
    """Housekeeping finds audit rows without a customer among themselves, not among those of all customers."""
    asked: list[tuple[str, object]] = []

    def note(_c: object, _u: object, statement: str, parameters: object, *_: object) -> None:
        asked.append((statement, parameters))

    with database.engine.connect() as connection:
        for other in ("created_at", "customer_id"):  # of which a planner without statistics thinks as much
            connection.exec_driver_sql(f"DROP INDEX ix_audit_{other}")
        listen(connection, "before_cursor_execute", note)
        forget_strangers(connection, NOW, 10)
        remove(connection, "before_cursor_execute", note)
        if database.dialect != "sqlite":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN " if database.dialect == "sqlite" else "EXPLAIN "
        plan = connection.exec_driver_sql(explain + asked[0][0], asked[0][1]).all()  # type: ignore[arg-type]
        connection.rollback()
    assert "ix_audit_stranger" in str(plan)


def test_rows_are_deleted_in_slices(database: Database) -> None:
    """One call deletes at most `limit` rows of a table and returns their number."""
    for _ in range(5):
        store(database, {mail: mail_row(LONG_AGO, "sent")})
    assert tidied(database, NOW, limit=3) == [3, 2]


def test_a_session_stays_while_it_has_a_token(database: Database) -> None:
    """An old session stays while it has a refresh token, because access tokens are looked up by it."""
    old = {"id": uuid4(), "customer_id": uuid4(), "created_at": NOW - 1000 * DAY}
    store(
        database,
        {session: old, refresh_token: token_row(NOW) | {"session_id": old["id"], "customer_id": old["customer_id"]}},
    )
    assert tidied(database, NOW) == []
    assert [row["id"] for row in rows(database, session)] == [old["id"]]


def test_the_settings_say_how_long(services: Services) -> None:
    """Each setting in days ends its rows, and no others."""
    settings = Settings(keep_pending_days=1, keep_audit_days=2, keep_events_days=3, session_seconds=60)
    assert housekeeping(settings, services) == Housekeeping(
        DAY, 2 * DAY, 3 * DAY, timedelta(minutes=1), new_id=services.new_id, ledger=services.ledger
    )


def test_mails_of_a_clock_that_was_ahead_are_made_due(database: Database) -> None:
    """An untried mail is due when it is promised, whatever the clock of its node said; a lease stays."""
    ahead = NOW + timedelta(hours=2)
    post(database, 3, ahead)
    post(database, 1, NOW)
    [claimed] = claim(database, NOW)
    assert tidied(database, NOW, limit=2) == [2, 1]
    assert {job.id for job in claim(database, NOW)} == {row["id"] for row in rows(database, mail)} - {claimed.id}


class TestPendingAccounts:
    KEY_AND_DAYS = DAY + KEEPING.pending
    """From the sign-up to the end of an account that is not confirmed: its key is valid for a day."""

    @pytest.fixture
    def pending(self, services: Services) -> Services:
        assert isinstance(sign_up(services, request()), Registered)
        return services

    def test_are_erased_when_their_key_is_long_expired(self, pending: Services, clock: Clock) -> None:
        """An account that was not confirmed goes with all its rows but events, and its address is free again."""
        clock.move(self.KEY_AND_DAYS + timedelta(seconds=1))
        tidied(pending.database, clock.now)
        assert [row["kind"] for row in rows(pending.database, event)] == ["customer.created", "customer.expired"]
        assert counts(pending.database) == {"audit": 1, "event": 2}
        assert [(row["client_ip"], row["email_key"]) for row in rows(pending.database, audit)] == [(None, None)]
        assert isinstance(sign_up(pending, request()), Registered)

    def test_stay_until_then(self, pending: Services, clock: Clock) -> None:
        """An account stays while its key could still be looked into by an operator."""
        clock.move(self.KEY_AND_DAYS - timedelta(seconds=1))
        assert tidied(pending.database, clock.now) == []

    def test_stay_while_a_later_key_is_young(self, pending: Services, clock: Clock) -> None:
        """A new key gives the account the same time again."""
        clock.move(30 * DAY)
        assert isinstance(resend_confirmation(pending, "ada@example.org", CLIENT), Accepted)
        clock.move(30 * DAY)
        tidied(pending.database, clock.now)
        assert len(rows(pending.database, customer)) == 1
        clock.move(2 * DAY)
        tidied(pending.database, clock.now)
        assert rows(pending.database, customer) == []

    def test_without_a_key_count_from_the_sign_up(self, pending: Services, clock: Clock) -> None:
        """An account whose keys were deleted, as housekeeping did before accounts had an end, is erased, too."""
        pending.database.write(lambda connection: connection.execute(confirmation_token.delete()))
        clock.move(400 * DAY)
        tidied(pending.database, clock.now)
        assert rows(pending.database, customer) == []

    def test_customers_stay(self, services: Services, clock: Clock) -> None:
        """A confirmed customer stays for ever, and so does the row of an erased one."""
        confirmed(services)
        erased = confirmed(services, email="bob@example.org")
        gone = customer.update().where(customer.c.reference == erased.reference).values(anonymized_at=clock.now)
        services.database.write(lambda connection: connection.execute(gone))
        clock.move(4000 * DAY)
        tidied(services.database, clock.now)
        assert len(rows(services.database, customer)) == 2

    def test_are_erased_a_few_at_a_time(self, services: Services, clock: Clock) -> None:
        """A slice erases a tenth as many accounts as it deletes rows, because an account takes many statements."""
        for number in range(5):
            sign_up(services, request(email=f"{number}@example.org"))
        clock.move(self.KEY_AND_DAYS + DAY)
        assert tidied(services.database, clock.now, limit=20)[:3] == [2, 2, 1]

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    def test_that_are_locked_are_left_for_later(self, pending: Services, clock: Clock) -> None:
        """An account that another transaction has locked stays until that transaction ends. SQLite has one writer."""
        clock.move(self.KEY_AND_DAYS + DAY)

        def work(other: Connection) -> int:
            other.execute(customer.select().with_for_update())
            tidied(pending.database, clock.now)
            return len(rows(pending.database, customer))

        assert pending.database.write(work) == 1
        tidied(pending.database, clock.now)
        assert rows(pending.database, customer) == []


def test_no_slice_reads_a_whole_table(services: Services, clock: Clock) -> None:
    """Every query of housekeeping finds its rows by an index, so that a slice is short however large the tables are."""
    explain = "EXPLAIN QUERY PLAN " if services.database.dialect == "sqlite" else "EXPLAIN "
    plans: dict[str, str] = {}

    def look(connection: Connection) -> None:
        asked: list[tuple[str, object]] = []

        def note(_c: object, _u: object, statement: str, parameters: object, *_: object) -> None:
            asked.append((statement, parameters))

        listen(connection, "before_cursor_execute", note)
        KEEPING.tidy_up(connection, clock.now, 10)
        remove(connection, "before_cursor_execute", note)
        if connection.dialect.name != "sqlite":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # which is faster while the tables are empty
        for statement, parameters in asked:
            found = connection.exec_driver_sql(explain + statement, parameters)  # type: ignore[arg-type]
            plans[statement] = "\n".join(str(row[-1]) for row in found)

    services.database.write(look)
    assert len(plans) == 17
    whole = {plan for plan in plans.values() for line in plan.splitlines() if reads_all(line)}
    assert whole == set()


def reads_all(line: str) -> bool:
    """Whether a line of a plan of SQLite or PostgreSQL reads a table to its end."""
    return "Seq Scan" in line or (line.startswith("SCAN ") and "INDEX" not in line)

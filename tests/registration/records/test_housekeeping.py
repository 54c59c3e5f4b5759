"""Housekeeping deletes expired rows, and no others."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection, Table, insert

from registration.records.housekeeping import tidy_up
from registration.storage.database import Database
from registration.storage.tables import (
    attempt,
    audit,
    confirmation_token,
    email_change,
    idempotency,
    mail,
    refresh_token,
    reset_token,
    session,
    used_key,
)
from tests.registration.stored import rows

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=31)


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
        used_key: token_row(moment) | {"kind": "reset"},
        refresh_token: token_row(moment) | {"session_id": uuid4()},
        session: {"id": uuid4(), "customer_id": uuid4(), "created_at": moment},
    }


def store(database: Database, given: dict[Table, dict[str, object]]) -> None:
    def work(connection: Connection) -> None:
        for table, row in given.items():
            connection.execute(insert(table).values(row))

    database.write(work)


def test_expired_rows_are_deleted(database: Database) -> None:
    """Rows that expired a month ago are deleted from every table."""
    store(database, stored(LONG_AGO))
    assert database.write(lambda connection: tidy_up(connection, NOW, 10)) == 9
    assert [table.name for table in stored(NOW) if rows(database, table)] == []


def test_other_rows_stay(database: Database) -> None:
    """Rows that have not expired stay in every table."""
    store(database, stored(NOW + timedelta(seconds=1)))
    assert database.write(lambda connection: tidy_up(connection, NOW, 10)) == 0
    assert [len(rows(database, table)) for table in stored(NOW)] == [1] * 9


def test_a_waiting_mail_stays_however_old(database: Database) -> None:
    """A mail that waits is not deleted, however old it is."""
    store(database, {mail: mail_row(None, "waiting")})
    assert database.write(lambda connection: tidy_up(connection, NOW, 10)) == 0
    assert len(rows(database, mail)) == 1


def test_strangers_are_forgotten(database: Database) -> None:
    """Audit rows without a customer are emptied after a month; those of customers keep their personal columns."""

    def entry(created_at: datetime, customer_id: UUID | None) -> dict[str, object]:
        facts = {"id": uuid4(), "kind": "sign-in failure", "client_ip": "192.0.2.1", "email_key": "ada@example.org"}
        return facts | {"customer_id": customer_id, "created_at": created_at}

    for row in [entry(LONG_AGO, None)] * 3:
        store(database, {audit: row | {"id": uuid4()}})
    store(database, {audit: entry(NOW, None)})
    store(database, {audit: entry(LONG_AGO, uuid4())})
    assert [database.write(lambda connection: tidy_up(connection, NOW, 2)) for _ in range(3)] == [2, 1, 0]
    left = [(row["created_at"], row["client_ip"], row["email_key"]) for row in rows(database, audit)]
    assert sorted(left, key=repr) == sorted(
        [(LONG_AGO, None, None)] * 3 + [(each, "192.0.2.1", "ada@example.org") for each in (NOW, LONG_AGO)], key=repr
    )


def test_rows_are_deleted_in_batches(database: Database) -> None:
    """One call deletes at most `limit` rows of a table and returns their number."""
    for _ in range(5):
        store(database, {mail: mail_row(LONG_AGO, "sent")})
    assert [database.write(lambda connection: tidy_up(connection, NOW, 3)) for _ in range(3)] == [3, 2, 0]


def test_a_session_stays_while_it_has_a_token(database: Database) -> None:
    """An old session stays while it has a refresh token, because access tokens are looked up by it."""
    old = {"id": uuid4(), "customer_id": uuid4(), "created_at": LONG_AGO}
    store(database, {session: old, refresh_token: token_row(NOW) | {"session_id": old["id"]}})
    assert database.write(lambda connection: tidy_up(connection, NOW, 10)) == 0
    assert [row["id"] for row in rows(database, session)] == [old["id"]]

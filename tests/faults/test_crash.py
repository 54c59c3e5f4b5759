"""kill -9 of a real process during sign-ups."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from harness.smtp import SmtpServer
from registration.storage.database import Database
from registration.storage.tables import confirmation_token, customer, email_claim, event, mail
from tests.conftest import Serve
from tests.faults.doors import DOORS, REAL_HASHES
from tests.registration.stored import rows
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

PEOPLE = 200
ANSWERS_BEFORE_THE_CRASH = 30


def test_answered_sign_ups_are_stored(serve: Serve, database: Database, database_url: str, smtp: SmtpServer) -> None:
    """Each answered sign-up is stored and gets a mail, and a mail that is sent again has the same Message-ID."""
    gateway = serve(
        GATEWAY_DATABASE_URL=database_url, GATEWAY_MAIL_URL=smtp.url, GATEWAY_QUEUE_SECONDS="60", **REAL_HASHES
    )
    waiting = {f"{number}@example.org": DOORS[number % 2](gateway, f"{number}@example.org") for number in range(PEOPLE)}
    answers = {}
    for number, (email, read) in enumerate(waiting.items()):
        if number == ANSWERS_BEFORE_THE_CRASH:
            gateway.kill()
        answers[email] = read()
    acknowledged = {email for email, answer in answers.items() if answer and answer.verdict == "registered"}
    assert ANSWERS_BEFORE_THE_CRASH <= len(acknowledged) < PEOPLE
    assert {answer.verdict for answer in answers.values() if answer} == {"registered"}

    gateway.start()
    found = {row["id"]: row["email"] for row in rows(database, customer)}
    assert acknowledged <= set(found.values()) <= waiting.keys()
    for table in (email_claim, confirmation_token, mail, event):
        assert Counter(row["customer_id"] for row in rows(database, table)) == dict.fromkeys(found, 1)
    references = {row["reference"] for row in rows(database, customer)}
    assert len(references) == len(found)
    assert {answer.reference for answer in answers.values() if answer} <= references

    # Mails that the killed relay held come back when its lease ends: end it now.
    database.write(lambda connection: connection.execute(update(mail).values(due_at=datetime.now(UTC))).close())
    eventually(lambda: {row["status"] for row in rows(database, mail)} == {"sent"})
    assert {message["To"].addresses[0].addr_spec for message in smtp.messages} == set(found.values())
    assert {message["Message-ID"].partition("@")[0] for message in smtp.messages} == {
        f"<{row['id']}" for row in rows(database, mail)
    }
    again = [door(gateway, email) for email, door in zip(sorted(acknowledged), DOORS, strict=False)]
    assert [answer.verdict for read in again if (answer := read())] == ["taken"] * len(DOORS)

"""Two hundred simultaneous sign-ups with one address, through both doors of a real process."""

from collections import Counter

import pytest

from harness.smtp import SmtpServer
from registration.storage.database import Database
from registration.storage.tables import mail
from tests.conftest import Serve
from tests.faults.doors import DOORS
from tests.registration.stored import counts, rows
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

PEOPLE = 200


def test_one_address_makes_one_customer_and_one_mail(
    serve: Serve, database: Database, database_url: str, smtp: SmtpServer
) -> None:
    """One sign-up is registered and gets a mail; all others are answered "taken"."""
    gateway = serve(GATEWAY_DATABASE_URL=database_url, GATEWAY_MAIL_URL=smtp.url, GATEWAY_QUEUE_SECONDS="60")
    spellings = ["ada@example.org", "ADA@example.org", "Ada@Example.Org"]
    waiting = [DOORS[number % 2](gateway, spellings[number % 3]) for number in range(PEOPLE)]
    answers = [read() for read in waiting]
    assert Counter(answer.verdict for answer in answers if answer) == {"registered": 1, "taken": PEOPLE - 1}
    assert {answer.status for answer in answers if answer} <= {200, 201, 422}
    eventually(lambda: rows(database, mail)[0]["status"] == "sent")
    gateway.stop()
    assert counts(database) == {
        "customer": 1,
        "email_claim": 1,
        "confirmation_token": 1,
        "mail": 1,
        "event": 1,
        "audit": 1,
    }
    assert [message["To"].addresses[0].username.lower() for message in smtp.messages] == ["ada"]

"""A signal during sign-ups."""

import pytest

from registration.storage.database import Database
from registration.storage.tables import customer, mail
from tests.conftest import Serve
from tests.faults.doors import DOORS, REAL_HASHES, get
from tests.registration.stored import rows

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

PEOPLE = 40


def test_registrations_under_way_finish(serve: Serve, database: Database, database_url: str) -> None:
    """Admitted and queued sign-ups are answered and stored before the process ends with status 0."""
    gateway = serve(GATEWAY_DATABASE_URL=database_url, GATEWAY_QUEUE_SECONDS="60", **REAL_HASHES)
    waiting = [DOORS[number % 2](gateway, f"{number}@example.org") for number in range(PEOPLE)]
    assert get(gateway, "/healthz") == 200  # an answer: the server has read everything sent before
    assert len(rows(database, customer)) < PEOPLE
    gateway.stop()
    answers = [read() for read in waiting]
    assert [answer.verdict for answer in answers if answer] == ["registered"] * PEOPLE
    assert {row["reference"] for row in rows(database, customer)} == {answer.reference for answer in answers if answer}
    assert len(rows(database, mail)) == PEOPLE
    gateway.start()  # the fixture `serve` stops it at the end
    assert get(gateway, "/readyz") == 200

"""Ctrl-C while people sign up: whoever is in gets an answer, and what was answered is written."""

import pytest

from registration.storage.database import Database
from registration.storage.tables import customer, mail
from tests.conftest import Serve
from tests.faults.doors import DOORS, REAL_HASHES, get
from tests.registration.stored import rows

pytestmark = pytest.mark.usefixtures("unmeasured")

PEOPLE = 40


def test_registrations_under_way_finish(serve: Serve, database: Database, database_url: str) -> None:
    """Those in the hash and those in the queue before it; the process ends by itself and with status 0."""
    gateway = serve(GATEWAY_DATABASE_URL=database_url, GATEWAY_QUEUE_SECONDS="60", **REAL_HASHES)
    waiting = [DOORS[number % 2](gateway, f"{number}@example.org") for number in range(PEOPLE)]
    assert get(gateway, "/healthz") == 200  # so everything that was sent before has been read
    assert len(rows(database, customer)) < PEOPLE
    gateway.stop()
    answers = [read() for read in waiting]
    assert [answer.verdict for answer in answers if answer] == ["registered"] * PEOPLE
    assert {row["reference"] for row in rows(database, customer)} == {answer.reference for answer in answers if answer}
    assert len(rows(database, mail)) == PEOPLE
    gateway.start()  # as `serve` stops it once more
    assert get(gateway, "/readyz") == 200

"""More sign-ups than the machine can hash."""

import json
from http.client import HTTPConnection

import pytest

from harness.ports import HOST
from registration.storage.database import Database
from registration.storage.tables import customer
from tests.conftest import Serve
from tests.faults.doors import DOORS, FORM, PATIENCE, REAL_HASHES
from tests.registration.stored import rows

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

WAVES, PEOPLE = 2, 100
READ = json.dumps({"query": "{ __typename }"})


def test_a_flood_is_registered_or_refused(serve: Serve, database: Database, database_url: str) -> None:
    """Each sign-up at both doors is registered or 503, and reads are answered meanwhile."""
    gateway = serve(GATEWAY_DATABASE_URL=database_url, GATEWAY_QUEUE_SECONDS="0.1", **REAL_HASHES)
    reader = HTTPConnection(HOST, gateway.port, timeout=PATIENCE)
    verdicts: dict[str, str] = {}
    for wave in range(WAVES):
        addresses = [f"ada-{wave}-{number:03}@example.org" for number in range(PEOPLE)]
        sent = {address: DOORS[number % 2](gateway, address) for number, address in enumerate(addresses)}
        for address, answer_of in sent.items():
            reader.request("POST", "/graphql", READ, {"Content-Type": "application/json"})
            assert json.load(reader.getresponse()) == {"data": {"__typename": "Query"}}
            answer = answer_of()
            assert answer
            verdicts[address] = answer.verdict
    reader.close()
    gateway.stop()
    registered = {address for address, verdict in verdicts.items() if verdict == "registered"}
    assert registered == {row["email"] for row in rows(database, customer)}
    assert {*verdicts.values()} == {"registered", "unavailable"}
    log = gateway.log.read_text()
    assert "Traceback" not in log
    assert str(FORM["password"]) not in log

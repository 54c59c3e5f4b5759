"""A PostgreSQL of three nodes loses its leader while two gateways are busy."""

import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from harness.patroni import PatroniCluster
from harness.smtp import SmtpServer
from registration.storage.database import Database, open_database
from registration.storage.migrations import migrate
from registration.storage.tables import customer
from tests.conftest import Serve
from tests.faults.doors import get
from tests.faults.load import assert_all_stored, load, send_the_rest
from tests.registration.stored import rows

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

# Sign-ups wait five seconds for a hash at most, and ten for the database.
HANGS = 25  # seconds
FAULTS: dict[str, Callable[[PatroniCluster], None]] = {
    "its PostgreSQL is killed": lambda cluster: cluster.leader.kill_postgres(),
    "its node is killed": lambda cluster: cluster.leader.kill(),
    "planned switchover": PatroniCluster.switch_over,
}


@pytest.mark.seconds(300)
def test_nothing_is_lost_with_the_leader(
    serve: Serve, smtp: SmtpServer, keys_directory: Path, record_property: Callable[[str, object], None]
) -> None:
    """No acknowledged customer is lost, none is doubled, and each sign-up is registered or 503 within its deadline."""
    with PatroniCluster() as cluster, closing(open_database(cluster.url)) as database:
        migrate(database)
        settings = {"GATEWAY_KEYS_DIR": str(keys_directory), "GATEWAY_MAIL_URL": smtp.url}
        gateways = [serve(GATEWAY_DATABASE_URL=cluster.url, **settings) for _ in range(2)]
        with load(gateways) as clients:
            for name, fault in FAULTS.items():
                clients.wait_for_success()
                began = time.monotonic()
                fault(cluster)
                clients.wait_for_success()
                record_property(f"seconds without a sign-up, {name}", round(clients.gap(began), 1))
                assert [get(gateway, "/readyz") for gateway in gateways] == [200, 200]
                cluster.start_what_died()
                cluster.wait_until_whole()
        record_property("sign-ups acknowledged", sum(each.is_registered for each in clients.sign_ups))
        record_property("sign-ups refused", sum(not each.is_registered for each in clients.sign_ups))
        answers = [(each.answer.verdict, each.answer.status) if each.answer else None for each in clients.sign_ups]
        assert set(answers) <= {("registered", 200), ("registered", 201), ("unavailable", 503)}
        assert max(each.seconds for each in clients.sign_ups) < HANGS
        assert_all_stored(database, clients.sign_ups)
        send_the_rest(database)
        assert_one_mail_each(database, smtp)
        for gateway in gateways:
            gateway.stop()


def assert_one_mail_each(database: Database, smtp: SmtpServer) -> None:
    """Each customer got a mail; where it arrived again, it has the same Message-ID."""
    arrived = defaultdict(set)
    for message in smtp.messages:
        arrived[message["To"].addresses[0].addr_spec].add(message["Message-ID"])
    addresses = [row["email"] for row in rows(database, customer)]
    assert {address: len(ids) for address, ids in arrived.items()} == dict.fromkeys(addresses, 1)

"""Registrations with their mails, measured for a moment with real gateways and relays."""

from pathlib import Path

import pytest

from benchmarks import mails
from benchmarks.mail_sink import sink
from registration.mail.senders import open_sender
from registration.storage.database import Database
from registration.storage.tables import mail
from tests.benchmarks.wrk import needs_wrk
from tests.registration.mail.relays import relay_of
from tests.registration.people import signed_up
from tests.registration.stored import rows

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]


def test_the_sink_takes_each_mail_once(database: Database) -> None:
    """The sink tells the moment of each mail since it was last asked."""
    for number in range(3):
        signed_up(database, email=f"ada{number}@example.org")
    with sink(0.0) as server:
        relay_of(database, open_sender(server.url)).run_once()
        assert server.taken().keys() == {str(row["id"]) for row in rows(database, mail)}
        assert server.taken() == {}


@needs_wrk
def test_each_way_is_measured(tmp_path: Path) -> None:
    """Each door and way has a figure; only mails to a server have times of arrival."""
    # Beside other tests a load of one second may see no answer.
    found = list(mails.measure(tmp_path, "sqlite", 3.0, 1))
    assert [(each.way, each.waits is not None) for each in found[: len(mails.WAYS)]] == [
        ("no mails", False),
        ("files", False),
        ("SMTP", True),
        ("SMTP, own process", True),
    ]
    assert len(found) == 2 * len(mails.WAYS)
    assert all(each.rate > 0 and each.share > 0 for each in found)


@needs_wrk
def test_a_slow_server_is_measured(tmp_path: Path) -> None:
    """Mails that wait leave over few and over many connections, and those of registrations leave meanwhile."""
    found = mails.of_a_slow_server(tmp_path, "sqlite", 40, 1.0)
    assert min(found.by_default, found.by_many, found.kept_up) > 0

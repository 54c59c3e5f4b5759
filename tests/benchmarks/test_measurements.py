"""The parts that measure without wrk, as briefly as they can."""

from pathlib import Path

import pytest

from benchmarks import bare_hash as limit
from benchmarks import growth, start
from benchmarks import overhead as besides
from benchmarks.relay import drain
from harness.store import Store
from registration.hashing.calibration import Costs
from registration.signing_up.batch import GROUP
from registration.storage.database import Database
from tests.registration.people import signed_up
from tests.registration.stored import counts

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.mark.parametrize("default", [True, False])
def test_limit_counts_hashes_of_a_process_of_its_own(default: bool) -> None:
    """Each thread makes one at least, whatever the time; the CPU of one is known."""
    seen = limit.measure(Costs(64, 1), 2, 0.0, default=default)
    assert seen.rate > 0
    assert seen.cpu_ms > 0


def test_grown_customers_leave_what_signed_up_ones_leave(database: Database, database_url: str) -> None:
    """A row in each table but those of keys; the number is what was asked for, also when some are there already."""
    store = Store(database_url, None)
    for size in (7, 12, 12):
        growth.fill(store, size)
        assert counts(database) == dict.fromkeys(
            ("audit", "customer", "email_claim", "event", "mail", "refresh_token", "session"), size
        )
    assert store.customers() == 12
    assert store.waiting_mails() == 0


def test_break_down_covers_a_registration(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every registration of it is written, and no part is free."""
    monkeypatch.setattr(besides, "ROUNDS", 20)
    parts = besides.break_down(database_url)
    assert Store(database_url, None).customers() == 2 * GROUP * (besides.WARM_UP + 20)
    assert parts.total == pytest.approx(parts.gateway + parts.rules + parts.hash + parts.transaction + parts.outbox)


def test_drain_sends_every_mail(database: Database, database_url: str, tmp_path: Path) -> None:
    """With the real relay, into files; mails that are not needed any more are settled, too."""
    for number in range(3):
        signed_up(database, email=f"ada{number}@example.org")
    store = Store(database_url, None)
    assert store.waiting_mails() == 3
    assert drain(tmp_path, store) >= 0
    assert store.waiting_mails() == 0


def test_start_ends_with_an_answer(sqlite_url: str, tmp_path: Path) -> None:
    """Of GraphQL, by a process that has a size."""
    seen = start.measure(tmp_path, Store(sqlite_url, None), 1)
    assert seen.seconds > 0
    assert seen.memory > 10

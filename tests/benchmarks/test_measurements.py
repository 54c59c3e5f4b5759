"""The measurements that need no wrk, made as short as possible."""

from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, Table, select

from benchmarks import bare_hash, growth, metrics, overhead, search, start, ten_million, traces
from benchmarks.growth import Growth
from benchmarks.relay import drain
from harness.store import Store
from registration.hashing.batch import MAX_BATCH
from registration.hashing.calibration import Costs
from registration.storage.database import Database
from registration.storage.tables import metadata
from tests.registration.people import signed_up
from tests.registration.stored import counts
from tests.spans import traced

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]


@pytest.mark.parametrize("default", [True, False])
def test_the_bare_hash_is_measured_in_its_own_process(default: bool) -> None:
    """Each thread makes at least one hash, however short the time, and the CPU of a hash is known."""
    seen = bare_hash.measure(Costs(64, 1), 2, 0.0, default=default)
    assert seen.rate > 0
    assert seen.cpu_ms > 0


FILLED = ("audit", "customer", "email_claim", "event", "mail", "refresh_token", "session")


def test_inserted_customers_have_the_rows_of_signed_up_ones(database: Database, database_url: str) -> None:
    """`fill` adds customers up to the number wanted, each with a row in every table except those of keys."""
    store = Store(database_url, None)
    for size in (7, 12, 12):
        growth.fill(store, size)
        assert counts(database) == dict.fromkeys(FILLED, size)
    assert store.customers() == 12
    assert store.waiting_mails() == 0


def test_a_server_fills_as_the_gateway_does_and_keeps_its_keys_and_indexes(postgresql_url: str) -> None:
    """Ten million customers have the rows of the few, in the same tables: with the same columns, keys and indexes."""
    store = Store(postgresql_url, None)
    with store.opened() as database:
        before = database.read(_shape)
        ten_million.fill(store, 5)
        ten_million.fill(store, 7)
        assert counts(database) == dict.fromkeys(FILLED, 7)
        assert database.read(_shape) == before
        growth.fill(store, 8)
        for name in FILLED:
            assert len(database.read(partial(_columns_with_values, metadata.tables[name]))) == 1


def _columns_with_values(table: Table, connection: Connection) -> set[tuple[str, ...]]:
    """Of each row, the columns that are not NULL."""
    rows = connection.execute(select(table)).mappings()
    return {tuple(name for name, value in row.items() if value is not None) for row in rows}


def _shape(connection: Connection) -> set[str]:
    """The definitions of all keys and indexes."""
    keys = "SELECT conrelid::regclass || conname || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid > 0"
    indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
    return {*connection.exec_driver_sql(keys).scalars(), *connection.exec_driver_sql(indexes).scalars()}


def test_the_report_of_ten_million_customers_says_how_much_dearer_each_request_is() -> None:
    """Each kind of request is a row with its CPU in both databases, and their ratio."""
    few, many = Growth("postgresql", 1_000, 10.0, 12.0, 2.0), Growth("postgresql", 10_000_000, 11.0, 12.6, 2.5)
    assert ten_million.report(few, many).splitlines()[2:] == [
        "| registration | 10.00 | 11.00 | 1.100 |",
        "| sign-in | 12.00 | 12.60 | 1.050 |",
        "| registration, cheapest hash | 2.00 | 2.50 | 1.250 |",
    ]


def test_break_down_covers_a_registration(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The breakdown stores each of its registrations, and its parts make up the total; budgets are counted for some."""
    monkeypatch.setattr(overhead, "ROUNDS", 20)
    parts = overhead.break_down(database_url)
    store = Store(database_url, None)
    assert store.customers() == MAX_BATCH * (2 * (overhead.WARM_UP + 20) + 2 * 20)
    with store.opened() as database:
        counted = counts(database)["attempt"]
    assert counted == MAX_BATCH * 20 + 3  # mailboxes; mails and hashes of the client; mails of all
    assert parts.total == pytest.approx(parts.gateway + parts.rules + parts.hash + parts.transaction + parts.outbox)


def test_metrics_are_measured_as_a_worker_counts() -> None:
    """The calls of a sign-up are timed in a process that counts into a directory."""
    assert metrics.measure() > 0


def test_traces_are_measured_on_and_off() -> None:
    """The calls of a sign-up make spans while traces are on, and cost less while they are off."""
    off = traces.microseconds()
    with traced() as spans:
        traces.of_a_sign_up()
        assert len(spans.all) == 8
    assert off > 0


def test_searches_find_customers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of search is timed through a gateway whose database has the customers that it looks for."""
    monkeypatch.setattr(search, "ROUNDS", 20)
    seen = list(search.measure(2000))
    assert len(seen) == 8
    assert all(0 < median <= high for _, median, high in seen)


def test_drain_sends_every_mail(database: Database, database_url: str, tmp_path: Path) -> None:
    """The real relay sends all waiting mails, and none waits afterwards."""
    for number in range(3):
        signed_up(database, email=f"ada{number}@example.org")
    store = Store(database_url, None)
    assert store.waiting_mails() == 3
    assert drain(tmp_path, store) >= 0
    assert store.waiting_mails() == 0


def test_start_ends_with_an_answer(sqlite_url: str, tmp_path: Path) -> None:
    """A start is measured until the first GraphQL response, with the memory of the process."""
    seen = start.measure(tmp_path, Store(sqlite_url, None), 1)
    assert seen.seconds > 0
    assert seen.memory > 10

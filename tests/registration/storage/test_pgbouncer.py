"""A database behind PgBouncer, which gives each transaction to another process of the server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, make_url, select, update

from harness.pgbouncer import PgBouncer
from registration.storage.database import Database, Unavailable, open_database
from registration.storage.tables import counter
from tests.waiting import PATIENCE

SETTINGS = {
    "as PgBouncer comes": {},
    "transactions": {"pool_mode": "transaction", "default_pool_size": "3"},
    "transactions, options ignored": {
        "pool_mode": "transaction",
        "default_pool_size": "3",
        "ignore_startup_parameters": "options,extra_float_digits",
    },
}


@pytest.fixture(params=SETTINGS)
def pooled_url(request: pytest.FixtureRequest, pgbouncer_program: str, postgresql_url: str) -> Iterator[str]:
    """The URL of a migrated database behind PgBouncer."""
    server = make_url(postgresql_url)
    assert server.port
    with PgBouncer(pgbouncer_program, server.port, **SETTINGS[request.param]) as pgbouncer:
        yield server.set(port=pgbouncer.port).render_as_string(hide_password=False)


@pytest.fixture
def pooled(pooled_url: str) -> Iterator[Database]:
    with closing(open_database(pooled_url)) as database:
        yield database


def show(connection: Connection, *names: str) -> list[str]:
    return [connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names]


def test_repeated_statements_find_their_server(pooled: Database) -> None:
    """Statements that were run often enough to be prepared work in every transaction, whatever process serves it."""

    def add_one(connection: Connection) -> None:
        connection.execute(update(counter).where(counter.c.name == "customer").values(next=counter.c.next + 1))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: pooled.write(add_one), range(200)))
    assert pooled.read(lambda connection: connection.execute(select(counter.c.next)).scalar_one()) == 201


def test_each_transaction_has_our_settings(pooled: Database) -> None:
    """Transactions at once and one after the other all have our limits and formats."""
    barrier = Barrier(3, timeout=PATIENCE)

    def look(connection: Connection) -> list[str]:
        barrier.wait()
        return show(connection, "lock_timeout", "statement_timeout", "datestyle", "transaction_isolation")

    with ThreadPoolExecutor(3) as threads:
        for run, isolation in ((pooled.read, "repeatable read"), (pooled.write, "read committed")):
            found = list(threads.map(lambda _, run=run: run(look), range(9)))
            assert found == [["5s", "10s", "ISO, MDY", isolation]] * 9


def test_other_programs_keep_their_settings(pooled: Database, pooled_url: str) -> None:
    """What our transactions state does not stay with the process that served them."""
    pooled.read(lambda connection: show(connection, "lock_timeout"))
    with psycopg.connect(pooled_url) as other:
        assert other.execute("SHOW lock_timeout").fetchone() == ("0",)


def test_options_of_the_url_take_effect(pooled_url: str) -> None:
    """Settings that the URL names count although PgBouncer refuses or ignores options."""
    with closing(open_database(f"{pooled_url}?options=-csearch_path%3Dshop&application_name=shop-a")) as database:
        found = database.read(lambda connection: show(connection, "search_path", "application_name"))
    assert found == ["shop", "shop-a"]


def test_a_server_without_a_pooler_is_told_from_one_with(pooled: Database, postgresql_url: str) -> None:
    """Only behind a pooler statements are not prepared."""

    def threshold(connection: Connection) -> int | None:
        driver: Any = connection.connection.dbapi_connection
        return int(driver.prepare_threshold) if driver.prepare_threshold else None

    with closing(open_database(postgresql_url)) as direct:
        assert direct.read(threshold) == 5
    assert pooled.read(threshold) is None


def test_a_mode_that_cannot_work_is_named(pgbouncer_program: str, postgresql_url: str) -> None:
    """PgBouncer's own reason is told where it refuses transactions."""
    server = make_url(postgresql_url)
    assert server.port
    with PgBouncer(pgbouncer_program, server.port, pool_mode="statement") as pgbouncer:
        url = server.set(port=pgbouncer.port).render_as_string(hide_password=False)
        with (
            closing(open_database(url)) as database,
            pytest.raises(Unavailable, match=r"^database error 08P01: transaction blocks not allowed"),
        ):
            database.write(lambda connection: connection.exec_driver_sql("SELECT 1"))

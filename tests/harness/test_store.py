"""The databases that are measured."""

from pathlib import Path

import pytest
from sqlalchemy import inspect

from harness.store import ENGINES, Engine, store, unmigrated_store


@pytest.mark.parametrize("engine", ENGINES)
def test_a_store_is_empty_and_migrated(engine: Engine, tmp_path: Path) -> None:
    """No customer and no mail is there; PostgreSQL is a server whose CPU is known."""
    with store(engine, tmp_path) as empty:
        assert empty.customers() == 0
        assert empty.waiting_mails() == 0
        assert (empty.cpu_seconds > 0) is (engine == "postgresql")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_unmigrated_store_has_no_tables(engine: Engine, tmp_path: Path) -> None:
    """The revision that is measured makes them."""
    with unmigrated_store(engine, tmp_path) as empty, empty.opened() as database:
        assert database.read(lambda connection: inspect(connection).get_table_names()) == []

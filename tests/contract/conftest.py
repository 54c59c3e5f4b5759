"""The whole application for contract tests: one for the tests of a module, on each engine."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from graphql_api.settings import GatewaySettings
from harness.postgres import create_database, drop_database
from registration.storage.database import open_database
from tests.contract.shop import BASE, Shop, new_shop


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A migrated database for all tests of a module."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        yield f"sqlite:///{shutil.copy(template, tmp_path_factory.mktemp('shared') / 'registration.db')}"
        return
    server, name = request.getfixturevalue("postgres_url"), f"shared_{uuid4().hex}"
    yield create_database(server, name, request.getfixturevalue("postgres_template"))
    drop_database(server, name)


@pytest.fixture(scope="module")
def shop(shared_database_url: str) -> Iterator[Shop]:
    with new_shop(open_database(shared_database_url), GatewaySettings(public_url=BASE + ":443")) as shop:
        yield shop

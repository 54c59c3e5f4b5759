"""A Valkey server for the tests of what it counts."""

from collections.abc import Iterator

import pytest
from redis import Redis

from harness.valkey import Valkey


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def client(valkey: Valkey) -> Iterator[Redis]:
    """A client of an empty server."""
    with Redis.from_url(valkey.url, decode_responses=True) as client:
        client.flushall()
        yield client

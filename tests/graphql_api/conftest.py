import os
from collections.abc import Iterator

import pytest

from registration.storage.database import Database
from tests.graphql_api.installation import Installation, installed


@pytest.fixture(scope="session", autouse=True)
def no_outer_settings() -> Iterator[None]:
    """Remove the GATEWAY_ variables of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
            patch.delenv(name)
        yield


@pytest.fixture
def anyio_backend() -> str:
    """Tests marked anyio run on asyncio, as the gateway does."""
    return "asyncio"


@pytest.fixture
def installation(database: Database) -> Iterator[Installation]:
    """The application with its default settings; the test runs once on each engine."""
    with installed(database) as installation:
        yield installation

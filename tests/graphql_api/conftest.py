import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Tests marked anyio run on the loop that the gateway runs on."""
    return "asyncio"

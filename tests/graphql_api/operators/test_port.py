"""The port of the operator schema, of real gateways."""

import signal
from contextlib import closing
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from graphql_api.operators.port import PATH
from harness.gateway import Gateway
from harness.ports import HOST, free_port
from registration.storage.database import open_database
from registration.support.tokens import Scope, new_token
from tests.conftest import Serve
from tests.waiting import PATIENCE, eventually

FIND = '{ find(input: {search: "A"}) { ... on CustomerPage { customers { reference } } } }'


def token_of(url: str) -> str:
    with closing(open_database(url)) as database:
        token = new_token(database, "olga", [Scope.READ], datetime.now(UTC), timedelta(days=1))
    assert token
    return token


def status(port: int, token: str = "") -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        url = f"http://{HOST}:{port}{PATH}"
        return httpx2.post(url, json={"query": FIND}, headers=headers, timeout=PATIENCE).status_code
    except httpx2.TransportError:
        return 0


@pytest.mark.long
@pytest.mark.parametrize("workers", ["1", "2"])
def test_is_served_beside_the_gateway(serve: Serve, sqlite_url: str, workers: str) -> None:
    """The schema is served on its port alone, also after SIGHUP, and the gateway still stops cleanly."""
    port = free_port()
    gateway = serve(
        GATEWAY_DATABASE_URL=sqlite_url,
        GATEWAY_OPERATORS_PORT=str(port),
        GATEWAY_WORKERS=workers,
        GATEWAY_RELAY="off",
    )
    token = token_of(sqlite_url)
    eventually(lambda: status(port) == 401)
    assert status(port, token) == 200
    assert httpx2.post(f"{gateway.base_url}{PATH}", json={"query": FIND}).status_code == 404
    gateway.process.send_signal(signal.SIGHUP)
    if workers == "1":  # of two, one serves while the other begins anew
        eventually(lambda: status(port) == 0)
    eventually(lambda: status(port, token) == 200)


@pytest.mark.long
def test_is_off_by_default(shared_gateway: Gateway) -> None:
    """Without the setting nothing of the schema is served."""
    assert status(shared_gateway.port) == 404

"""A gateway in production mode on a store, without a relay, and services on the same store."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphql_api.settings import GatewaySettings
from harness.gateway import COMMAND, Gateway
from harness.store import Store
from registration.hashing.calibration import Costs
from registration.services import Services
from registration.wiring import open_services


@contextmanager
def gateway(
    directory: Path, store: Store, costs: Costs, *, workers: int = 1, command: Path = COMMAND, **settings: str
) -> Iterator[Gateway]:
    """Run a gateway with these hash costs, its files in `directory`; `settings` are further GATEWAY_ variables."""
    wanted = {
        "GATEWAY_MODE": "production",
        "GATEWAY_DATABASE_URL": store.url,
        # All gateways on one database need the same keys.
        "GATEWAY_KEYS_DIR": str(directory / "keys"),
        "GATEWAY_RELAY": "off",
        "GATEWAY_WORKERS": str(workers),
        "GATEWAY_HASH_MEMORY_KIB": str(costs.memory_kib),
        "GATEWAY_HASH_TIME_COST": str(costs.time_cost),
        # On a busy machine responses are late; only benchmarks/pressure.py wants refusals.
        "GATEWAY_QUEUE_SECONDS": "60",
        **settings,
    }
    with Gateway(Path(tempfile.mkdtemp(dir=directory)), wanted, command) as running:
        yield running


@contextmanager
def services_of(running: Gateway, store: Store) -> Iterator[Services]:
    """Services with the database and keys of a running gateway, to insert customers and issue tokens for it."""
    services = open_services(GatewaySettings(database_url=store.url, keys_dir=str(running.keys_directory)))
    try:
        yield services
    finally:
        services.close()

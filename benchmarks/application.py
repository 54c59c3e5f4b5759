"""What the application is made of, on a database and without a server: for measurements within this process."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bare_hash import CHEAPEST
from graphql_api.settings import GatewaySettings
from registration.keys.secret import create_secret
from registration.keys.signing_keys import create_signing_keys
from registration.services import Services
from registration.wiring import open_services


@contextmanager
def parts(url: str) -> Iterator[tuple[GatewaySettings, Services]]:
    """As `registration-gateway serve` makes them, with the cheapest hash; the caller closes the services."""
    with tempfile.TemporaryDirectory() as keys:
        create_secret(Path(keys))
        create_signing_keys(Path(keys), "both")
        settings = GatewaySettings(
            database_url=url,
            keys_dir=keys,
            relay="off",
            limits="off",
            hash_memory_kib=CHEAPEST.memory_kib,
            hash_time_cost=CHEAPEST.time_cost,
        )
        yield settings, open_services(settings)

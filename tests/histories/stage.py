"""The stage of a history: gateways that share a database and a directory of mails, and the faults they can meet."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import make_url

from harness.gateway import COMMAND, Gateway
from harness.lossy_connection import Proxy
from harness.patroni import PatroniCluster
from harness.postgres import PostgresServer
from registration.storage.database import open_database
from registration.storage.migrations import migrate
from tests.histories.faults import Fault, of_cluster, of_gateways, of_postgresql, of_sqlite

Engine = Literal["sqlite", "postgresql", "cluster"]
SETTINGS = {
    # Clients of a history guess passwords all the time.
    "GATEWAY_LOCKOUT_FAILURES": "1000000",
    "GATEWAY_NEW_DEVICE_MAIL": "off",
}
Store = tuple[Sequence[str], Mapping[str, Fault]]
"""The URL of the database for each gateway, and what can happen to the database."""


@dataclass(frozen=True, slots=True)
class Stage:
    """`url` is that of the database."""

    gateways: Sequence[Gateway]
    url: str
    mail_directory: Path
    faults: Mapping[str, Fault]


@contextmanager
def staged(engine: Engine, directory: Path, command: Path = COMMAND) -> Iterator[Stage]:
    """Two gateways on an empty database."""
    with ExitStack() as running:
        urls, faults = _store(engine, directory, running)
        database = open_database(urls[0])
        migrate(database)
        database.close()
        mails = directory / "mail"
        shared = SETTINGS | {"GATEWAY_KEYS_DIR": str(directory / "keys"), "GATEWAY_MAIL_URL": f"file://{mails}"}
        gateways = [
            running.enter_context(
                Gateway(directory / f"gateway-{number}", shared | {"GATEWAY_DATABASE_URL": url}, command)
            )
            for number, url in enumerate(urls)
        ]
        yield Stage(gateways, urls[0], mails, of_gateways(gateways) | dict(faults))


def _store(engine: Engine, directory: Path, running: ExitStack) -> Store:
    """An empty database. One of two gateways reaches PostgreSQL through a connection that can break."""
    match engine:
        case "sqlite":
            url = f"sqlite:///{directory}/registration.db"
            return [url, url], of_sqlite(url)
        case "postgresql":
            server = running.enter_context(PostgresServer())
            proxy = running.enter_context(Proxy(server.port))
            behind_proxy = make_url(server.url()).set(port=proxy.port).render_as_string(hide_password=False)
            return [server.url(), behind_proxy], of_postgresql(server, proxy)
        case "cluster":
            cluster = running.enter_context(PatroniCluster())
            return [cluster.url, cluster.url], of_cluster(cluster)

"""The real application in this process, on a real database with the cheapest hashes; it never opens a socket."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Table, select
from starlette.testclient import TestClient

from graphql_api.app import create_app
from registration.database import Database
from registration.passwords import Passwords
from registration.references import References
from registration.secret import Secret
from registration.services import Services
from registration.settings import Settings
from registration.tables import mail
from registration.tokens import confirmation_key
from registration.wiring import password_policy
from tests.clock import Clock


@dataclass(frozen=True, slots=True)
class Installation:
    """A running application: its HTTP client, its database and its time."""

    client: TestClient
    services: Services
    clock: Clock

    def rows(self, table: Table) -> list[dict[str, Any]]:
        def look(connection: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(select(table)).mappings()]

        return self.services.database.read(look)

    def confirmation_keys(self) -> list[str]:
        """The keys in the mails that wait, oldest first."""
        waiting = sorted(self.rows(mail), key=lambda row: row["created_at"])
        return [confirmation_key(self.services.secret, row["token_id"]) for row in waiting if row["token_id"]]


@contextmanager
def installation(database: Database, settings: Settings, **changed: Any) -> Iterator[Installation]:
    """`changed` replaces members of the services that the settings make."""
    clock = Clock()
    services = Services(
        database=database,
        passwords=Passwords(memory_kib=8, time_cost=1, parallelism=1, slots=2),
        secret=Secret(b"s" * 32),
        references=References(database, settings.reference_prefix),
        policy=password_policy(settings),
        sign_ups_per_hour=settings.sign_up_limit,
        clock=clock,
    )
    services = replace(services, **changed)
    with TestClient(create_app(settings, services), follow_redirects=False) as client:
        yield Installation(client, services, clock)

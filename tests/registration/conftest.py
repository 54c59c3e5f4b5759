"""Fixtures of the domain's tests, on both engines: real services, the cheapest hashes, and a clock that tests move."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

from harness.lossy_connection import Proxy
from registration.hashing.passwords import Passwords
from registration.keys.secret import Secret
from registration.keys.signing_keys import SigningKeys
from registration.limits.lockout import DatabaseLockout, LockoutTerms
from registration.services import Services
from registration.storage.database import Database, open_database
from registration.storage.references import References
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def role(postgresql_url: str) -> Iterator[str]:
    """A role that may read and write every table, and no more."""
    name = f"role_{uuid4().hex}"
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN".encode())
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}".encode())
        yield name
        connection.execute(f"DROP OWNED BY {name}".encode())
        connection.execute(f"DROP ROLE {name}".encode())


@pytest.fixture
def url_of_role(postgresql_url: str, role: str) -> str:
    return postgresql_url.replace("postgres@", f"{role}@")


@pytest.fixture
def services(database: Database, clock: Clock, signing_keys: SigningKeys) -> Iterator[Services]:
    passwords = Passwords(memory_kib=8, time_cost=1, parallelism=1, slots=2)
    yield Services(
        database=database,
        passwords=passwords,
        secret=Secret(b"s" * 32),
        references=References(database, "DE"),
        signing_keys=signing_keys,
        lockout=DatabaseLockout(database, LockoutTerms(), clock),
        clock=clock,
    )
    passwords.close()


@pytest.fixture
def behind_proxy(services: Services, database_url: str) -> Iterator[tuple[Services, Proxy]]:
    """Services whose PostgreSQL is reached through a proxy that loses answers on demand."""
    target = make_url(database_url)
    assert target.port
    with Proxy(target.port) as proxy:
        database = open_database(target.set(port=proxy.port).render_as_string(hide_password=False))
        references = References(database, "DE")
        references.draw()
        yield replace(services, database=database, references=references), proxy
        database.close()

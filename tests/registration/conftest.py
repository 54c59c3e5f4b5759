"""Fixtures of the domain's tests, on both engines: real services, the cheapest hashes, and a clock that tests move."""

from collections.abc import Iterator

import pytest

from registration.hashing.passwords import Passwords
from registration.keys.secret import Secret
from registration.keys.signing_keys import SigningKeys
from registration.limits.lockout import DatabaseLockout, LockoutTerms
from registration.services import Services
from registration.storage.database import Database
from registration.storage.references import References
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


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

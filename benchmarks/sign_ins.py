"""Sign-ins beside bare hashes, at the parameters of Keycloak's sizing guide, and in a flood of ten times as many."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from sqlalchemy import func, select

from benchmarks import bare_hash, load
from benchmarks.population import populate
from benchmarks.pressure import PAUSE, QUEUE_SECONDS, TIMES
from graphql_api.server.admission import REFUSE_AT
from harness.gateway import Gateway
from harness.processes import cpu_seconds
from harness.production import gateway, services_of
from harness.store import Engine, Store
from registration.hashing.argon2id import Argon2id
from registration.hashing.calibration import Costs
from registration.hashing.machine import cores
from registration.storage.tables import session

CONCURRENCY = 32
CUSTOMERS = 300
"""The customers that sign in, in turn: one customer with very many sessions would not be typical."""
KEYCLOAK = Costs(7_168, 5)
"""Of its sizing guide, which counts on 15 sign-ins a second and processor."""
PASSWORD = b"correct horse"


@dataclass(frozen=True, slots=True)
class SignIns:
    """CPU in milliseconds for one sign-in; `hash_ms` is that of a bare hash with all slots at work."""

    engine: Engine
    rate: float
    hash_ms: float
    server_ms: float
    database_ms: float
    p99: float

    @property
    def share(self) -> float:
        """The share of the hash in the CPU of the server, without that of PostgreSQL."""
        return self.hash_ms / self.server_ms


@dataclass(frozen=True, slots=True)
class SignInLimits:
    """Sign-ins a second of one processor's time at the parameters of Keycloak; seconds of a flood's last answer."""

    a_core: float
    longest: float


def measure(directory: Path, store: Store, engine: Engine, seconds: float, rounds: int) -> SignIns:
    """Loads between bare hashes; the one with the median share."""
    with _signing_in(directory, store, bare_hash.PRODUCTION) as (running, addresses):
        _one_load(running, store, addresses, seconds)
        seen: list[SignIns] = []
        bare = [bare_hash.measure(bare_hash.PRODUCTION, cores(), seconds / 3)]
        for _ in range(rounds):
            rate, server_ms, database_ms, p99 = _one_load(running, store, addresses, seconds)
            bare.append(bare_hash.measure(bare_hash.PRODUCTION, cores(), seconds / 3))
            hash_ms = mean(each.cpu_ms for each in bare[-2:])
            seen.append(SignIns(engine, rate, hash_ms, server_ms, database_ms, p99))
    return sorted(seen, key=lambda each: each.share)[rounds // 2]


def limits(directory: Path, store: Store, seconds: float) -> SignInLimits:
    with _signing_in(directory, store, KEYCLOAK) as (running, addresses):
        _one_load(running, store, addresses, seconds)
        _, server_ms, database_ms, _ = _one_load(running, store, addresses, seconds)
    with _signing_in(directory, store, bare_hash.PRODUCTION, QUEUE_SECONDS) as (running, addresses):
        capacity = _one_load(running, store, addresses, seconds)[0]
        flood = load.run(
            running.base_url,
            "sign-in",
            connections=round(capacity * (TIMES + REFUSE_AT * QUEUE_SECONDS)),
            seconds=3 * seconds,
            tag=addresses,
            pause=PAUSE,
            overload=True,
            batch=True,
        )
    return SignInLimits(1000 / (server_ms + database_ms), flood.longest / 1000)


@contextmanager
def _signing_in(directory: Path, store: Store, costs: Costs, queue_seconds: int = 60) -> Iterator[tuple[Gateway, str]]:
    """A gateway, and the addresses of customers whose password has a hash of these costs."""
    with gateway(directory, store, costs, GATEWAY_QUEUE_SECONDS=str(queue_seconds)) as running:
        hashed = Argon2id(memory_kib=costs.memory_kib, time_cost=costs.time_cost, parallelism=1).hash(PASSWORD)
        with services_of(running, store) as services:
            addresses = populate(services, CUSTOMERS, password_hash=hashed)
        yield running, ",".join(addresses)


def _one_load(running: Gateway, store: Store, addresses: str, seconds: float) -> tuple[float, float, float, float]:
    """Sign-ins a second, CPU of server and database for one that was stored, and p99."""
    before, server, database = _sessions(store), cpu_seconds(running.process.pid), store.cpu_seconds
    seen = load.run(running.base_url, "sign-in", connections=CONCURRENCY, seconds=seconds, tag=addresses)
    number = load.settled(lambda: _sessions(store)) - before
    server, database = cpu_seconds(running.process.pid) - server, store.cpu_seconds - database
    return seen.rate, server * 1000 / number, database * 1000 / number, seen.p99


def _sessions(store: Store) -> int:
    with store.opened() as database:
        return database.read(lambda connection: connection.scalar(select(func.count()).select_from(session)) or 0)

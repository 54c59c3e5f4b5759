"""What a registration and a sign-in cost in a database with many customers, which are written without the gateway."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TypeAlias
from uuid import UUID, uuid4

from sqlalchemy import Connection, insert, text

from benchmarks import load
from benchmarks.bare_hash import CHEAPEST, PRODUCTION
from benchmarks.population import populate
from benchmarks.registrations import TAGS
from harness.gateway import Gateway
from harness.processes import cpu_seconds
from harness.production import gateway, services_of
from harness.store import Engine, Store, store
from registration.hashing.argon2id import Argon2id
from registration.hashing.calibration import Costs
from registration.mail.outbox import bucket_of
from registration.storage import tables

BATCH = 100_000
SIGNING_IN = 50
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PLACEHOLDER_HASH = "$argon2id$v=19$m=19456,t=2,p=1$" + "A" * 22 + "$" + "A" * 43

Fill: TypeAlias = Callable[[Store, int], None]
"""Writes confirmed customers, with the other rows that each would have, until there are so many; then ANALYZE."""

Kind: TypeAlias = Callable[[Gateway, Store, float], float]
"""Loads a gateway for some seconds; CPU milliseconds of server and database for one request."""


@dataclass(frozen=True, slots=True)
class Loads:
    seconds: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Growth:
    """CPU milliseconds of server and database for one registration or sign-in, with so many customers stored."""

    engine: Engine
    customers: int
    registration_ms: float
    sign_in_ms: float
    without_hash_ms: float


def measure(directory: Path, engine: Engine, sizes: tuple[int, ...], loads: Loads, fill: Fill) -> Iterator[Growth]:
    """Medians of loads that take turns on a database of each size, so that all are measured in the same minutes."""
    with ExitStack() as stores:
        grown = {size: stores.enter_context(store(engine, directory)) for size in sizes}
        for size, its_store in grown.items():
            fill(its_store, size)
        registration, sign_in = (
            _medians(directory, grown, PRODUCTION, kind, loads) for kind in (_registration, _sign_in)
        )
        without_hash = _medians(directory, grown, CHEAPEST, _registration, loads)
    for size in sizes:
        yield Growth(engine, size, registration[size], sign_in[size], without_hash[size])


def _medians(directory: Path, grown: Mapping[int, Store], costs: Costs, kind: Kind, loads: Loads) -> dict[int, float]:
    with ExitStack() as gateways:
        running = {
            size: gateways.enter_context(gateway(directory, its_store, costs)) for size, its_store in grown.items()
        }
        for size, its_store in grown.items():
            kind(running[size], its_store, 1.0)  # fills caches and pools
        seen = [(size, kind(running[size], grown[size], loads.seconds)) for _ in range(loads.rounds) for size in grown]
    return {size: median(cost for each, cost in seen if each == size) for size in grown}


def fill(store: Store, size: int) -> None:
    missing = range(store.customers(), size)
    with store.opened() as database:
        for start in missing[::BATCH]:
            numbers = range(start, min(start + BATCH, size))
            database.write(lambda connection, numbers=numbers: _write(connection, numbers))  # type: ignore[misc]
        database.write(lambda connection: connection.execute(text("ANALYZE")))


def _write(connection: Connection, numbers: range) -> None:
    """Rows as of customers that have confirmed and signed in, so that the tables a sign-in writes have grown, too."""
    # Sorted by key, so that a batch touches each page of a table once and not a thousand times.
    customers = list(zip(sorted(uuid4() for _ in numbers), numbers, strict=True))
    for table, row in (
        (tables.customer, _customer),
        (tables.email_claim, _claim),
        (tables.mail, _mail),
        (tables.event, _event),
        (tables.audit, _audit),
        (tables.session, _session),
        (tables.refresh_token, _refresh_token),
    ):
        connection.execute(insert(table), [row(each, number) for each, number in customers])


def _claim(each: UUID, number: int) -> dict[str, object]:
    return {"address": f"grown-{number}@example.org", "customer_id": each}


def _event(each: UUID, _number: int) -> dict[str, object]:
    return {"id": each, "kind": "customer.created", "customer_id": each, "created_at": LONG_AGO}


def _audit(each: UUID, _number: int) -> dict[str, object]:
    return {"id": each, "kind": "sign-in", "customer_id": each, "created_at": LONG_AGO}


def _session(each: UUID, _number: int) -> dict[str, object]:
    return {"id": each, "customer_id": each, "created_at": LONG_AGO}


def _refresh_token(each: UUID, _number: int) -> dict[str, object]:
    return {"digest": each.hex * 2, "session_id": each, "customer_id": each, "expires_at": LONG_AGO}


def _customer(each: UUID, number: int) -> dict[str, object]:
    moment = LONG_AGO + timedelta(seconds=number)
    return {
        "id": each,
        "reference": f"GROWN--{number}",
        "email": f"grown-{number}@example.org",
        "salutation": "Ms",
        "first_name": "Ada",
        "last_name": "Beispiel",
        "gender": "Female",
        "date_of_birth": None,
        "password_hash": PLACEHOLDER_HASH,
        "language": "en",
        "terms_accepted_at": moment,
        "created_at": moment,
        "updated_at": moment,
        "confirmed_at": moment,
    }


def _mail(each: UUID, _number: int) -> dict[str, object]:
    return {
        "id": each,
        "bucket": bucket_of(each),
        "kind": "confirmation",
        "customer_id": each,
        "token_id": uuid4(),
        "status": "sent",
        "attempts": 1,
        "due_at": LONG_AGO,
        "created_at": LONG_AGO,
        "settled_at": LONG_AGO,
    }


def _registration(running: Gateway, store: Store, seconds: float) -> float:
    return _cpu_ms_of_one(running, store, "graphql", f"growth{next(TAGS)}", seconds)


def _sign_in(running: Gateway, store: Store, seconds: float) -> float:
    """Some customers sign in, in turn."""
    hashed = Argon2id(memory_kib=PRODUCTION.memory_kib, time_cost=PRODUCTION.time_cost, parallelism=1)
    with services_of(running, store) as services:
        addresses = ",".join(populate(services, SIGNING_IN, password_hash=hashed.hash(b"correct horse")))
    return _cpu_ms_of_one(running, store, "sign-in", addresses, seconds)


def _cpu_ms_of_one(running: Gateway, store: Store, kind: str, tag: str, seconds: float) -> float:
    """By those that wrk saw: to count rows costs the database the more the more there are."""
    before = cpu_seconds(running.process.pid) + store.cpu_seconds
    seen = load.run(running.base_url, kind, connections=8, seconds=seconds, tag=tag)
    time.sleep(load.SETTLE)
    return (cpu_seconds(running.process.pid) + store.cpu_seconds - before) * 1000 / seen.good

"""What a registration and a sign-in cost when there are many customers already; those are written, not registered."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import Connection, insert, text

from benchmarks import limit, load
from benchmarks.population import populate
from benchmarks.processes import cpu_seconds
from benchmarks.registrations import one_load
from benchmarks.servers import CHEAPEST, Engine, Store, gateway, services_of
from registration import tables
from registration.argon2id import Argon2id
from tests.servers.gateway import Gateway

BATCH = 100_000
SIGNING_IN = 50
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PLACEHOLDER_HASH = "$argon2id$v=19$m=19456,t=2,p=1$" + "A" * 22 + "$" + "A" * 43


@dataclass(frozen=True, slots=True)
class Growth:
    """CPU milliseconds of server and database for one registration or sign-in, beside so many customers."""

    engine: Engine
    customers: int
    registration_ms: float
    sign_in_ms: float
    without_hash_ms: float


def measure(directory: Path, store: Store, engine: Engine, sizes: tuple[int, ...], seconds: float) -> Iterator[Growth]:
    for size in sizes:
        fill(store, size)
        with gateway(directory, store, limit.PRODUCTION) as running:
            registration, sign_in = _registration(running, store, seconds), _sign_in(running, store, seconds)
        with gateway(directory, store, CHEAPEST) as running:
            without_hash = _registration(running, store, seconds)
        yield Growth(engine, size, registration, sign_in, without_hash)


def fill(store: Store, size: int) -> None:
    """Write confirmed customers until there are so many, with what each of them leaves behind; then look at them."""
    missing = range(store.customers(), size)
    with store.opened() as database:
        for start in missing[::BATCH]:
            numbers = range(start, min(start + BATCH, size))
            database.write(lambda connection, numbers=numbers: _write(connection, numbers))  # type: ignore[misc]
        database.write(lambda connection: connection.execute(text("ANALYZE")))


def _write(connection: Connection, numbers: range) -> None:
    """Each has signed up, confirmed and signed in, so that every table a sign-in writes has grown, too."""
    # In the order of their keys, so that a batch comes to each page of a table once and not a thousand times.
    people = list(zip(sorted(uuid4() for _ in numbers), numbers, strict=True))
    for table, row in (
        (tables.customer, _customer),
        (tables.email_claim, _claim),
        (tables.mail, _mail),
        (tables.event, _event),
        (tables.audit, _entry),
        (tables.session, _session),
        (tables.refresh_token, _refresh_token),
    ):
        connection.execute(insert(table), [row(each, number) for each, number in people])


def _claim(each: UUID, number: int) -> dict[str, object]:
    return {"address": f"grown-{number}@example.org", "customer_id": each}


def _event(each: UUID, _number: int) -> dict[str, object]:
    return {"id": each, "kind": "customer.created", "customer_id": each, "created_at": LONG_AGO}


def _entry(each: UUID, _number: int) -> dict[str, object]:
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


def _mail(each: UUID, number: int) -> dict[str, object]:
    return {
        "id": each,
        "bucket": number % 16,
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
    one_load(running, store, "graphql", 8, 1.0)
    seen = one_load(running, store, "graphql", 8, seconds)
    return seen.server_ms + seen.database_ms


def _sign_in(running: Gateway, store: Store, seconds: float) -> float:
    """Of some customers in turn. What is under way when wrk stops is not counted, which is the same for every size."""
    costs = limit.PRODUCTION
    hashed = Argon2id(memory_kib=costs.memory_kib, time_cost=costs.time_cost, parallelism=1).hash(b"correct horse")
    with services_of(running, store) as services:
        addresses = ",".join(populate(services, SIGNING_IN, password_hash=hashed))
    load.run(running.base_url, "sign-in", connections=8, seconds=1, tag=addresses)
    before = cpu_seconds(running.process.pid) + store.cpu_seconds
    seen = load.run(running.base_url, "sign-in", connections=8, seconds=seconds, tag=addresses)
    return (cpu_seconds(running.process.pid) + store.cpu_seconds - before) * 1000 / seen.good

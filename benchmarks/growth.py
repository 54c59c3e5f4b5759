"""What a registration costs when there are many customers already; those are written directly, not registered."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import Connection, insert, text

from benchmarks import limit
from benchmarks.registrations import one_load
from benchmarks.servers import CHEAPEST, Engine, Store, gateway
from registration import tables
from registration.calibration import Costs

BATCH = 5_000
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PLACEHOLDER_HASH = "$argon2id$v=19$m=19456,t=2,p=1$" + "A" * 22 + "$" + "A" * 43


@dataclass(frozen=True, slots=True)
class Growth:
    """CPU milliseconds of server and database for one registration, beside so many customers."""

    engine: Engine
    customers: int
    registration_ms: float
    without_hash_ms: float


def measure(directory: Path, store: Store, engine: Engine, sizes: tuple[int, ...], seconds: float) -> Iterator[Growth]:
    for size in sizes:
        fill(store, size)
        costs = [_cost(directory, store, kind, seconds) for kind in (limit.PRODUCTION, CHEAPEST)]
        yield Growth(engine, size, *costs)


def fill(store: Store, size: int) -> None:
    """Write confirmed customers until there are so many, with what each of them leaves behind; then look at them."""
    missing = range(store.customers(), size)
    with store.opened() as database:
        for start in missing[::BATCH]:
            numbers = range(start, min(start + BATCH, size))
            database.write(lambda connection, numbers=numbers: _write(connection, numbers))  # type: ignore[misc]
        database.write(lambda connection: connection.execute(text("ANALYZE")))


def _write(connection: Connection, numbers: range) -> None:
    ids = [uuid4() for _ in numbers]
    people = list(zip(ids, numbers, strict=True))
    connection.execute(insert(tables.customer), [_customer(each, number) for each, number in people])
    claims = [{"address": f"grown-{number}@example.org", "customer_id": each} for each, number in people]
    connection.execute(insert(tables.email_claim), claims)
    connection.execute(insert(tables.mail), [_mail(each, number) for each, number in people])
    events = [{"id": uuid4(), "kind": "customer.created", "customer_id": each, "created_at": LONG_AGO} for each in ids]
    connection.execute(insert(tables.event), events)


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
        "id": uuid4(),
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


def _cost(directory: Path, store: Store, costs: Costs, seconds: float) -> float:
    with gateway(directory, store, costs) as running:
        one_load(running, store, "graphql", 8, 1.0)
        seen = one_load(running, store, "graphql", 8, seconds)
    return seen.server_ms + seen.database_ms

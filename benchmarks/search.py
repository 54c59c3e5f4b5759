"""How long a search takes an operator: through the operator schema, on PostgreSQL with a million customers.

`python -m benchmarks.search [CUSTOMERS]` prints milliseconds for each kind of search, one after the
other from one client; each writes its audit row.
"""

import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

import psycopg
from sqlalchemy import Connection, select, text

from graphql_api.operators.port import PATH
from harness.gateway import Gateway
from harness.ports import HOST, free_port
from harness.store import Store, store
from registration.storage.database import wait_for_ever
from registration.storage.tables import customer
from registration.support.search import MOST
from registration.support.tokens import Scope, new_token

ROUNDS = 300
COMMON = "Müller"
EVERY = 100
"""One customer of so many has the common name."""

SYLLABLES = (
    "ba",
    "ber",
    "dor",
    "el",
    "fen",
    "gra",
    "hol",
    "ing",
    "kam",
    "lau",
    "mei",
    "nor",
    "pas",
    "rich",
    "sta",
    "weg",
)
FIND = """query Find($input: FindInput!) { find(input: $input) { ... on CustomerPage { end customers {
  reference email salutation firstName lastName dateOfBirth language createdAt confirmedAt blockedAt erasedAt } } } }"""

Search = Mapping[str, object]
Post = Callable[[Search], dict[str, object]]


CUSTOMERS = """
INSERT INTO customer (id, reference, email, salutation, first_name, last_name, password_hash, language,
    terms_accepted_at, created_at, updated_at, confirmed_at)
SELECT gen_random_uuid(), 'GROWN--' || n, 'grown-' || n || '@example.org', 'Ms', 'Ada',
    CASE WHEN n % CAST(:every AS bigint) = 0 THEN :common
    ELSE initcap(part[(mixed >> 4 & 15) + 1] || part[(mixed >> 8 & 15) + 1] || part[(mixed >> 12 & 15) + 1]) END,
    repeat('*', 97), 'en', now(), now(), now(), now()
FROM generate_series(0, CAST(:customers AS bigint) - 1) AS n,
    LATERAL (SELECT n * 2654435761 AS mixed, CAST(:syllables AS text[]) AS part) AS made
"""
CLAIMS = "INSERT INTO email_claim (address, customer_id) SELECT email, id FROM customer"


def fill(filled: Store, customers: int) -> list[str]:
    """Write confirmed customers with their addresses; then VACUUM and ANALYZE, as autovacuum does. Some last names."""
    given = {"customers": customers, "every": EVERY, "common": COMMON, "syllables": list(SYLLABLES)}

    def write(connection: Connection) -> None:
        wait_for_ever(connection)
        connection.execute(text(CUSTOMERS), given)
        connection.execute(text(CLAIMS))

    names = select(customer.c.last_name).where(customer.c.last_name != COMMON).limit(ROUNDS).order_by(customer.c.id)
    with filled.opened() as database:
        database.write(write)
        with psycopg.connect(filled.url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        return list(database.read(lambda connection: connection.scalars(names).all()))


def searches(customers: int, names: Sequence[str]) -> Iterator[tuple[str, Callable[[], Search]]]:
    """Each kind of search, with what makes the input of one."""
    chance = random.Random(1)  # noqa: S311 - what is searched for is no secret

    def number() -> int:
        return chance.randrange(customers)

    yield "reference", lambda: {"search": f"GROWN--{number()}"}
    yield "address", lambda: {"search": f"grown-{number()}@example.org"}
    yield "name, one letter", lambda: {"search": chance.choice(names)[:1], "first": MOST}
    yield "name, three letters", lambda: {"search": chance.choice(names)[:3], "first": MOST}
    yield "name, small letter", lambda: {"search": chance.choice(names).lower()[:5], "first": MOST}
    yield f"name, one in {EVERY} has it", lambda: {"search": COMMON, "first": MOST}
    yield "name, of no customer", lambda: {"search": "Xyz", "first": MOST}


def measure(customers: int) -> Iterator[tuple[str, float, float]]:
    """Each kind of search, with the median and the 95th percentile of ROUNDS in milliseconds."""
    with TemporaryDirectory() as directory, store("postgresql", Path(directory)) as filled:
        names = fill(filled, customers)
        port, token = free_port(), _token(filled)
        settings = {"GATEWAY_DATABASE_URL": filled.url, "GATEWAY_OPERATORS_PORT": str(port), "GATEWAY_RELAY": "off"}
        with (
            Gateway(Path(directory) / "gateway", settings),
            closing(HTTPConnection(HOST, port, timeout=60)) as connection,
        ):
            post = _poster(connection, token)
            for kind, search in searches(customers, names):
                yield kind, *_percentiles([_milliseconds(post, search()) for _ in range(ROUNDS)])
            yield "name, a next page", *_percentiles(list(_pages(post)))


def _pages(post: Post) -> Iterator[float]:
    """One page after the other, through the customers of one name."""
    end: object = None
    for _ in range(ROUNDS):
        began = time.perf_counter()
        end = post({"search": COMMON, "first": MOST} | ({"after": end} if end else {}))["end"]
        yield (time.perf_counter() - began) * 1000


def _milliseconds(post: Post, search: Search) -> float:
    began = time.perf_counter()
    post(search)
    return (time.perf_counter() - began) * 1000


def _percentiles(seen: list[float]) -> tuple[float, float]:
    cuts = quantiles(seen, n=20)
    return cuts[9], cuts[18]


def _poster(connection: HTTPConnection, token: str) -> Post:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}

    def post(search: Search) -> dict[str, object]:
        connection.request("POST", PATH, json.dumps({"query": FIND, "variables": {"input": search}}), headers)
        found: dict[str, object] = json.loads(connection.getresponse().read())["data"]["find"]
        return found

    return post


def _token(filled: Store) -> str:
    with filled.opened() as database:
        token = new_token(database, "benchmark", [Scope.READ], datetime.now(UTC), timedelta(days=1))
    assert token
    return token


def _main(customers: str = "1000000") -> None:
    for kind, median, high in measure(int(customers)):
        print(f"{kind:28} p50 {median:6.1f} ms   p95 {high:6.1f} ms", flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])

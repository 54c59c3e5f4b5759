"""Does the time of an answer tell whether an address is known? Asks a real gateway that conceals it; exits 1 if so.

Known and unknown addresses take turns in random order and are used once each, so other load on the machine slows both
alike. A neutral second request follows each one, because work that the gateway still does for the first must not show
in its time either. TMPDIR names the place of the databases: a faster disk makes smaller differences visible.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from benchmarks.comparison import Comparison, Pair, compare
from benchmarks.population import STATES, SignedIn, new_address, populate, populate_signed_in
from graphql_api.settings import GatewaySettings
from harness.gateway import Gateway
from harness.ports import HOST
from harness.postgres import PostgresServer, create_database
from registration.services import Services
from registration.storage.migrations import migrate
from registration.wiring import open_services

ENGINES = ("sqlite", "postgresql")
FULL_HASHES = {"GATEWAY_HASH_MEMORY_KIB": "19456", "GATEWAY_HASH_TIME_COST": "2"}
CHANGES_OF_A_CALLER = 8  # an hour; the limit of the use case is 10
WARM_UP = 20

FORM = {
    "salutation": "Ms",
    "firstName": "Ada",
    "lastName": "Beispiel",
    "gender": "Female",
    "password": "correct horse",
    "confirmPassword": "correct horse",
    "acceptedTerms": True,
}
INPUT = FORM | {"salutation": "MS", "gender": "FEMALE"}


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]


Ask = Callable[[str, SignedIn], Request]
"""Makes the request that uses an address; only operations of a signed-in customer use the customer."""


def graphql(mutation: str, given: Mapping[str, object] | None = None, *, signed_in: bool = False) -> Ask:
    name = mutation[0].upper() + mutation[1:]
    query = f"mutation ($input: {name}Input!) {{ {mutation}(input: $input) {{ __typename }} }}"

    def ask(email: str, caller: SignedIn) -> Request:
        body = {"query": query, "variables": {"input": {**(given or {}), "email": email}}}
        return Request("POST", "/graphql", encoded(body), headers("application/json", caller if signed_in else None))

    return ask


def glue(method: str, path: str, given: Mapping[str, object] | None = None, *, signed_in: bool = False) -> Ask:
    def ask(email: str, caller: SignedIn) -> Request:
        body = {"data": {"type": path.split("/")[1], "attributes": {**(given or {}), "email": email}}}
        named = headers("application/vnd.api+json", caller if signed_in else None)
        return Request(method, path.format(reference=caller.reference), encoded(body), named)

    return ask


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()


def headers(media_type: str, caller: SignedIn | None) -> dict[str, str]:
    return {"Content-Type": media_type} | ({"Authorization": f"Bearer {caller.token}"} if caller else {})


OPERATIONS: Mapping[str, Ask] = {
    "createCustomer": graphql("createCustomer", INPUT),
    "resendConfirmation": graphql("resendConfirmation"),
    "requestPasswordReset": graphql("requestPasswordReset"),
    "updateCustomer": graphql("updateCustomer", signed_in=True),
    "POST /customers": glue("POST", "/customers", FORM),
    "POST /customer-forgotten-password": glue("POST", "/customer-forgotten-password"),
    "PATCH /customers": glue("PATCH", "/customers/{reference}", signed_in=True),
}
NEUTRAL = Request(
    "POST", "/graphql", encoded({"query": "{ registrationPolicy { disclosure } }"}), headers("application/json", None)
)


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of a request that uses an address, and of the neutral request after it."""

    itself: float
    next: float


class Client:
    """One connection that times each request until its response has been read. Exits on an error response."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection(HOST, port, timeout=60)
        self._connection.connect()

    def use(self, ask: Ask, email: str, caller: SignedIn) -> Times:
        request = ask(email, caller)
        return Times(self._time(request), self._time(NEUTRAL))

    def _time(self, request: Request) -> float:
        start = time.perf_counter_ns()
        self._connection.request(request.method, request.path, request.body, dict(request.headers))
        response = self._connection.getresponse()
        content = response.read()
        passed = time.perf_counter_ns() - start
        if response.status >= 300 or b"Error" in content:
            raise SystemExit(f"{request.path}: {response.status} {content.decode()}")
        return passed / 1e6


def measure(
    client: Client, ask: Ask, known: Sequence[str], callers: Sequence[SignedIn], *, end: float, random: Random
) -> list[tuple[Times, Times]]:
    """Pairs of times for a known and an unknown address; fewer pairs than known addresses if time runs out."""
    pairs = []
    for place, email in enumerate(known):
        if time.monotonic() > end:
            break
        caller = callers[2 * place // CHANGES_OF_A_CALLER]
        sides = [email, new_address()]
        random.shuffle(sides)
        times = {side: client.use(ask, side, caller) for side in sides}
        other = next(side for side in sides if side != email)
        pairs.append((times[email], times[other]))
    return pairs[WARM_UP:]


@contextmanager
def database_of(engine: str, directory: Path) -> Iterator[str]:
    if engine == "sqlite":
        yield f"sqlite:///{directory}/registration.db"
        return
    with PostgresServer() as server:
        yield create_database(server.url(), "registration")


@contextmanager
def gateway_of(engine: str, directory: Path, hashes: Mapping[str, str]) -> Iterator[tuple[Gateway, Services]]:
    """A gateway that conceals whether an address is registered, and services on its database."""
    with database_of(engine, directory) as url:
        gateway = Gateway(directory, {"GATEWAY_DATABASE_URL": url, "GATEWAY_DISCLOSURE": "conceal", **hashes})
        services = open_services(GatewaySettings(database_url=url, keys_dir=str(directory / "keys")))
        migrate(services.database)
        with gateway:
            yield gateway, services
        services.close()


def report(engine: str, name: str, pairs: Sequence[tuple[Times, Times]], random: Random) -> bool:
    """Print the comparisons; True if known and unknown addresses can be told apart."""
    sides = {
        name: [(known.itself, unknown.itself) for known, unknown in pairs],
        "  and the request after it": [(known.next, unknown.next) for known, unknown in pairs],
    }
    found = [_line(engine, label, times, compare(times, random)) for label, times in sides.items()]
    return any(found)


def _line(engine: str, label: str, times: Sequence[Pair], found: Comparison) -> bool:
    known, unknown = found.medians
    verdict = "DISTINGUISHABLE" if found.is_distinguishable else "not distinguishable"
    print(
        f"{engine:10} {label:34} {len(times):5} {known:8.3f} {unknown:8.3f} {found.difference * 1000:+8.1f}"
        f" {found.noise * 1000:7.1f} {found.visible_from * 1000:8.1f} {found.ranks:+6.2f}  {verdict}",
        flush=True,
    )
    return found.is_distinguishable


def run(options: argparse.Namespace, random: Random) -> bool:
    print("Medians in milliseconds; difference, noise and visible difference in microseconds; ranks in deviations.")
    titles = f"{'pairs':>5} {'known':>8} {'unknown':>8} {'differ.':>8} {'noise':>7} {'visible':>8} {'ranks':>6}"
    print(f"{'':10} {'':34} {titles}")
    told_apart = False
    for engine in options.engine or ENGINES:
        with TemporaryDirectory() as directory:
            hashes = FULL_HASHES if options.full_hashes else {}
            with gateway_of(engine, Path(directory), hashes) as (gateway, services):
                told_apart |= _run_engine(engine, gateway, services, options, random)
    return told_apart


def _run_engine(engine: str, gateway: Gateway, services: Services, options: argparse.Namespace, random: Random) -> bool:
    client = Client(gateway.port)
    number = options.pairs + WARM_UP
    told_apart = False
    for name, ask in OPERATIONS.items():
        if options.operation and name not in options.operation:
            continue
        known = populate(services, number, options.known)
        callers = populate_signed_in(services, 2 * number // CHANGES_OF_A_CALLER + 1)
        end = time.monotonic() + options.seconds
        pairs = measure(client, ask, known, callers, end=end, random=random)
        told_apart |= report(engine, name, pairs, random)
    return told_apart


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1000, help="of each operation (default: %(default)s)")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="only this one; may be repeated")
    parser.add_argument("--operation", action="append", choices=OPERATIONS, help="only this one; may be repeated")
    parser.add_argument("--known", choices=STATES, default=STATES[0], help="what a known address is")
    parser.add_argument("--full-hashes", action="store_true", help="hash as in production, instead of at no cost")
    parser.add_argument("--seconds", type=float, default=120, help="at most, for one operation (default: %(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run(options_of(sys.argv[1:]), Random()))  # noqa: S311 - it chooses the order only

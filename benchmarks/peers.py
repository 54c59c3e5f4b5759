"""`make bench-peers`: better-auth and Vendure compared with the gateway.

All servers stay up and are loaded in turns, with the same Argon2 parameters on the same cores: registrations without a
mail, sign-ins, and registrations whose verification mails all reach the same SMTP sink. Only the installation of the
peers needs a network: the npm registry.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import text

from benchmarks import bare_hash, load
from benchmarks.load import LoadError, require_wrk
from benchmarks.mail_sink import Sink, sink
from benchmarks.peer_servers import Server, install, start_all, versions
from benchmarks.peer_table import Job, Name, Round, Slice, report
from benchmarks.run_record import describe_machine, results_directory, timed
from harness.processes import cpu_seconds
from registration.hashing.machine import cores

CONCURRENCY = 32
WARM_UP = 6  # seconds; a cold Vendure takes some of them for its first response
MAIL_SECONDS = 0.001
MAIL_PATIENCE = 60
"""Seconds that a server may take to send the mails of a load after its end."""
SIGNING_IN = 100
REGISTER: dict[Name, str] = {"gateway": "graphql", "better-auth": "better-auth", "vendure": "vendure"}
SIGN_IN: dict[Name, str] = {
    "gateway": "sign-in",
    "better-auth": "better-auth sign-in",
    "vendure": "vendure sign-in",
}

OneLoad = Callable[[Server, str, float], Slice]
"""Loads a server for some seconds; the text differs between loads of one server. Raises LoadError."""


def main() -> int:
    arguments = argparse.ArgumentParser(prog="benchmarks.peers", description=__doc__)
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--seconds", type=float, default=5)
    arguments.add_argument("--quick", action="store_true", help="two rounds of three seconds, kept among quick results")
    given = arguments.parse_args()
    rounds, seconds = (2, 3) if given.quick else (given.rounds, given.seconds)
    place = Path("var")
    place.mkdir(exist_ok=True)
    try:
        require_wrk()
        install()
        with tempfile.TemporaryDirectory(prefix="bench-", dir=place) as directory:
            machine = describe_machine()
            measured = dict(measure(Path(directory).resolve(), rounds, seconds))
    except LoadError as error:
        print(f"make bench-peers: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    keep(machine, measured, "quick/peers" if given.quick else "peers")
    return 0


def measure(directory: Path, rounds: int, seconds: float) -> Iterator[tuple[Job, list[Round]]]:
    """Start all servers, warm them up, and load them in turns; then again, with mails."""
    with ExitStack() as stack:
        servers = _warm(directory, stack, None)
        yield "registrations", _rounds(servers, registering, rounds, seconds)
        for server in servers:
            confirm_all(server)
        yield "sign-ins", _rounds(servers, signing_in, rounds, seconds)
    with sink(MAIL_SECONDS) as mails, ExitStack() as stack:
        servers = _warm(directory, stack, mails)
        with_mails: OneLoad = lambda server, tag, seconds: registering(server, tag, seconds, mails)  # noqa: E731
        yield "registrations with mails", _rounds(servers, with_mails, rounds, seconds)


def registering(server: Server, tag: str, seconds: float, mails: Sink | None = None) -> Slice:
    """A load of registrations. With mails it ends when the last of them has been taken."""
    return _one_load(server, REGISTER[server.contender.name], server.registered, tag, seconds, mails=mails)


def signing_in(server: Server, _tag: str, seconds: float) -> Slice:
    """A load of sign-ins, by customers that the warm-up registered; wrk makes its first request to look at it only."""
    addresses = ",".join(f"warm-0-{number}@example.org" for number in range(2, SIGNING_IN + 2))
    return _one_load(server, SIGN_IN[server.contender.name], server.signed_in, addresses, seconds)


def confirm_all(server: Server) -> None:
    """Let all customers of the gateway sign in; a peer that sends no mail lets them anyway."""
    if server.contender.name == "gateway":
        confirmed = text("UPDATE customer SET confirmed_at = created_at WHERE confirmed_at IS NULL")
        with server.store.opened() as database:
            database.write(lambda connection: connection.execute(confirmed))


def keep(machine: str, measured: Mapping[Job, Sequence[Round]], kind: str) -> None:
    """Print the report; write it as text and as JSON."""
    found = versions()
    shown = report(machine, found, measured)
    directory = results_directory(machine, kind)
    (directory / "report.md").write_text(shown)
    jobs = {job: [asdict(each) for each in rounds] for job, rounds in measured.items()}
    results = {"machine": machine, "versions": found, "jobs": jobs}
    (directory / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print(f"{shown}\nKept in {directory}.")


def _warm(directory: Path, stack: ExitStack, mails: Sink | None) -> list[Server]:
    with timed("start"):
        servers = list(start_all(directory, stack, mails))
    with timed("warm-up"):
        for server in servers:
            registering(server, "warm", WARM_UP, mails)
    return servers


def _rounds(servers: list[Server], one_load: OneLoad, rounds: int, seconds: float) -> list[Round]:
    return [_round(servers, one_load, number, seconds) for number in range(rounds)]


def _round(servers: list[Server], one_load: OneLoad, number: int, seconds: float) -> Round:
    """Each round begins with another server."""
    with timed(f"round {number + 1}"):
        hashes = bare_hash.measure(bare_hash.PRODUCTION, cores(), seconds)
        first = number % len(servers)
        slices = [one_load(server, f"round{number}", seconds) for server in servers[first:] + servers[:first]]
    return Round(hashes.rate, slices)


def _one_load(
    server: Server, kind: str, stored: Callable[[], int], tag: str, seconds: float, *, mails: Sink | None = None
) -> Slice:
    """One load; CPU is divided by all that was stored. Raises LoadError if less is stored than succeeded."""
    before, cpu, database_cpu = stored(), cpu_seconds(server.pid), server.store.cpu_seconds
    started = time.time()
    seen = load.run(server.base_url, kind, connections=CONCURRENCY, seconds=seconds, tag=tag)
    number = load.settled(stored) - before
    if number < seen.good:
        raise LoadError(f"{server.contender.name} answered {seen.good} successes and stored {number}")
    rate = min(seen.rate, number / (_last_of(server, mails, number) - started)) if mails else seen.rate
    used, database_used = cpu_seconds(server.pid) - cpu, server.store.cpu_seconds - database_cpu
    return Slice(server.contender, rate, seen.p99, used * 1000 / number, database_used * 1000 / number)


def _last_of(server: Server, mails: Sink, number: int) -> float:
    """When the last of so many mails was taken, in seconds. Raises LoadError when some do not come."""
    taken: list[float] = []
    deadline = time.monotonic() + MAIL_PATIENCE
    while len(taken) < number:
        if time.monotonic() > deadline:
            raise LoadError(f"{server.contender.name} registered {number} and sent {len(taken)} mails")
        time.sleep(0.1)
        taken += mails.taken().values()
    return max(taken)


if __name__ == "__main__":
    sys.exit(main())

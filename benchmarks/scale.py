"""What 1, 10 and 100 gateways can do over one PostgreSQL, reckoned from costs that are measured here.

`python -m benchmarks.scale` prints which part is used up first, and what a million sign-ups an hour need. No queue is
simulated: at saturation the throughput is that of the part that has the least (utilization law), whatever the queues.
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection

from benchmarks import bare_hash
from benchmarks.mail_sink import sink
from benchmarks.registrations import one_load
from benchmarks.relay import relay, wait_until_sent
from benchmarks.report import section
from benchmarks.run_record import describe_machine
from harness.processes import cpu_seconds
from harness.production import gateway
from harness.store import Store, store
from registration.hashing.machine import cores

CONCURRENCY = 32
QUICK_SECONDS = 0.001
"""What the mail server takes for a mail."""
CONNECTIONS = 16
"""Of one process at most: storage/database.py opens twice its eight readers."""
BUSY = 0.7
"""Highest utilisation of a part that must not build a queue."""
MILLION_AN_HOUR = 1_000_000 / 3600


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one sign-up, and of its mail: CPU in ms of gateway or relay and of the server, bytes of WAL, commits.

    `mails` is how many mails a second one relay sent while nothing else ran.
    """

    hash_ms: float
    server_ms: float
    database_ms: float
    wal: float
    commits: float
    mail_ms: float
    mail_database_ms: float
    mail_wal: float
    mail_commits: float
    mails: float


@dataclass(frozen=True, slots=True)
class Site:
    """Gateways and as many relays, on machines of their own, over one server; `wal_mb`: MB a second of its disk."""

    nodes: int
    node_cores: int
    database_cores: int
    wal_mb: float

    @property
    def connections(self) -> int:
        """With a worker for each core, and the relays."""
        return CONNECTIONS * self.nodes * (self.node_cores + 1)


@dataclass(frozen=True, slots=True)
class Counted:
    """What a PostgreSQL server has counted so far."""

    wal: float
    commits: float
    cpu: float

    def since(self, before: "Counted") -> "Counted":
        return Counted(self.wal - before.wal, self.commits - before.commits, self.cpu - before.cpu)


def capacities(costs: Costs, site: Site) -> Mapping[str, float]:
    """Sign-ups a second, each with its mail, that each part could do by itself."""
    return {
        "gateways": site.nodes * site.node_cores * 1000 / costs.server_ms,
        "relays": site.nodes * costs.mails,
        "database, CPU": site.database_cores * 1000 / (costs.database_ms + costs.mail_database_ms),
        "database, WAL": site.wal_mb * 1e6 / (costs.wal + costs.mail_wal),
    }


def needs(costs: Costs, rate: float) -> Mapping[str, float]:
    """What so many sign-ups a second need, each part busy for `BUSY` of its time."""
    second = rate / BUSY
    return {
        "cores of gateways": second * costs.server_ms / 1000,
        "relays": second / costs.mails,
        "cores of relays": second * costs.mail_ms / 1000,
        "cores of the database": second * (costs.database_ms + costs.mail_database_ms) / 1000,
        "MB of WAL a second": second * (costs.wal + costs.mail_wal) / 1e6,
        "commits a second": second * (costs.commits + costs.mail_commits),
    }


def measure(directory: Path, seconds: float) -> Costs:
    """Load a gateway for some seconds while its relay is stopped; then the relay sends the mails that wait."""
    with ExitStack() as stack:
        empty = stack.enter_context(store("postgresql", directory))
        server = stack.enter_context(sink(QUICK_SECONDS))
        running = stack.enter_context(gateway(directory, empty, bare_hash.PRODUCTION))
        process = stack.enter_context(relay(directory, empty, GATEWAY_MAIL_URL=server.url))
        one_load(running, empty, "graphql", 8, 1.0)  # fills caches and pools
        wait_until_sent(empty, process)
        early = len(server.taken())
        with _paused(process.pid):
            customers, before = empty.customers(), _counted(empty)
            load = one_load(running, empty, "graphql", CONCURRENCY, seconds)
            signed_up, seen = empty.customers() - customers, _counted(empty).since(before)
            mails, before, started = empty.waiting_mails(), _counted(empty), cpu_seconds(process.pid)
        wait_until_sent(empty, process)
        spent, sent = cpu_seconds(process.pid) - started, _counted(empty).since(before)
        moments = sorted(server.taken().values())[early:]
    return Costs(
        hash_ms=bare_hash.measure(bare_hash.PRODUCTION, cores(), seconds / 3).cpu_ms,
        server_ms=load.server_ms,
        database_ms=seen.cpu * 1000 / signed_up,
        wal=seen.wal / signed_up,
        commits=seen.commits / signed_up,
        mail_ms=spent * 1000 / mails,
        mail_database_ms=sent.cpu * 1000 / mails,
        mail_wal=sent.wal / mails,
        mail_commits=sent.commits / mails,
        mails=(len(moments) - 1) / (moments[-1] - moments[0]),
    )


@contextmanager
def _paused(pid: int) -> Iterator[None]:
    """A process that has started, and is to do nothing for a while: its start would count as work."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _counted(store: Store) -> Counted:
    with store.opened() as database:
        wal, commits = (float(database.read(partial(_scalar, each))) for each in (WAL, COMMITS))
    return Counted(wal, commits, store.cpu_seconds)


WAL = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"
COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"


def _scalar(statement: str, connection: Connection) -> str:
    return str(connection.exec_driver_sql(statement).scalar_one())


def report(costs: Costs, sites: Sequence[Site], machine: str) -> Iterator[str]:
    """Lines of Markdown."""
    yield from ("# Beyond one machine, reckoned", "", machine, "")
    yield from section(
        "Measured: one sign-up, and its mail",
        ("", "hash, CPU ms", "gateway or relay, CPU ms", "database, CPU ms", "WAL bytes", "commits", "mails/s"),
        [
            ("sign-up", costs.hash_ms, costs.server_ms, costs.database_ms, costs.wal, costs.commits, None),
            ("mail", None, costs.mail_ms, costs.mail_database_ms, costs.mail_wal, costs.mail_commits, costs.mails),
        ],
    )
    parts = list(capacities(costs, sites[0]))
    yield from section(
        f"Reckoned: sign-ups a second, nodes of {sites[0].node_cores} cores, a database of {sites[0].database_cores}"
        f" cores that writes {sites[0].wal_mb:g} MB of WAL a second",
        ("nodes", *parts, "used up first", "sign-ups an hour", "connections at most"),
        [_row(costs, site) for site in sites],
    )
    needed = needs(costs, MILLION_AN_HOUR)
    yield from section(
        f"Reckoned: what a million sign-ups an hour need ({MILLION_AN_HOUR:.0f}/s, each part {BUSY:.0%} busy)",
        list(needed),
        [list(needed.values())],
    )


def _row(costs: Costs, site: Site) -> tuple[object, ...]:
    rates = capacities(costs, site)
    first = min(rates, key=lambda part: rates[part])
    return (site.nodes, *rates.values(), first, f"{rates[first] * 3600:,.0f}", site.connections)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="of the load (default: %(default)s)")
    parser.add_argument("--node-cores", type=int, default=4, help="of a gateway (default: %(default)s)")
    parser.add_argument("--database-cores", type=int, default=16, help="of the server (default: %(default)s)")
    parser.add_argument("--wal-mb", type=float, default=200, help="a second, of its disk (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    sites = [Site(nodes, chosen.node_cores, chosen.database_cores, chosen.wal_mb) for nodes in (1, 10, 100)]
    with TemporaryDirectory() as directory:
        costs = measure(Path(directory), chosen.seconds)
    print("\n".join(report(costs, sites, describe_machine())))


if __name__ == "__main__":
    main(sys.argv[1:])

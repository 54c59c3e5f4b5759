"""Ten times more registrations than the machine can hash: what is still registered, refused, and read meanwhile."""

import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load, reads
from benchmarks.limit import PRODUCTION
from benchmarks.load import Generator
from benchmarks.processes import cpu_seconds
from benchmarks.servers import Store, gateway
from registration.machine import cores
from tests.servers.gateway import Gateway

PAUSE = 1000
"""Milliseconds before each request of a connection: so many connections offer about as many requests a second."""
WARM_UP = 2.5
"""Seconds until every connection has asked, and the queue is full."""
READ = reads.READS["me"]
READ_PAUSE = 10
"""Milliseconds: about 90 reads a second, because reads are to be measured here and not to be a load."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some seconds of a load: registrations a second, and how many processors server and generators kept busy.

    `read_p99` is that of `me` meanwhile, in milliseconds.
    """

    rate: float
    server: float
    generators: float
    read_p99: float

    @property
    def rate_alone(self) -> float:
        """What the rate would be if the generators ran on another machine, and left the server all processors here."""
        return self.rate * cores() / (cores() - self.generators)


@dataclass(frozen=True, slots=True)
class Pressure:
    """As many registrations as there can be, and ten times as many; rates a second, p99 of `me` in milliseconds."""

    peak: Stretch
    flood: Stretch
    offered: float
    refused: float
    idle_p99: float

    @property
    def kept(self) -> float:
        return self.flood.rate_alone / self.peak.rate_alone

    @property
    def kept_beside_generators(self) -> float:
        return self.flood.rate / self.peak.rate


def measure(directory: Path, store: Store, seconds: float, rounds: int) -> Pressure:
    """The middle of some rounds by what is kept. The deadline is one second only, so that the queue is full soon."""
    with gateway(directory, store, PRODUCTION, GATEWAY_QUEUE_SECONDS="1") as running:
        token = reads.token_of(running, store)
        load.run(running.base_url, "graphql", connections=8, seconds=1, tag="warm")
        seen = [_round(running, store, token, seconds, str(number)) for number in range(rounds)]
    return sorted(seen, key=lambda each: each.kept)[rounds // 2]


def _round(running: Gateway, store: Store, token: str, seconds: float, tag: str) -> Pressure:
    idle = _reading(running, token, seconds).result()
    peak, _ = _stretch(running, store, token, seconds, connections=32, tag=f"peak{tag}")
    connections = round(peak.rate * 10)
    flood, seen = _stretch(running, store, token, seconds, connections=connections, tag=f"flood{tag}", pause=PAUSE)
    return Pressure(
        peak=peak,
        flood=flood,
        offered=(seen.good + seen.overloaded) / seen.seconds,
        refused=seen.overloaded / seen.seconds,
        idle_p99=idle.p99,
    )


def _reading(running: Gateway, token: str, seconds: float) -> Generator:
    return load.start(running.base_url, READ, connections=1, seconds=seconds, pause=READ_PAUSE, token=token)


def _stretch(
    running: Gateway, store: Store, token: str, seconds: float, *, connections: int, tag: str, pause: int = 0
) -> tuple[Stretch, load.Load]:
    """What happens from the end of the warm-up on, and what wrk saw of all of it."""
    registering = load.start(
        running.base_url,
        "graphql",
        connections=connections,
        seconds=WARM_UP + seconds + 1,
        tag=tag,
        pause=pause,
        overload=True,
    )
    reading = _reading(running, token, WARM_UP + seconds + 1)
    time.sleep(WARM_UP)
    pids = (running.process.pid, registering.pid, reading.pid)
    started, customers, used = time.monotonic(), store.customers(), [cpu_seconds(pid) for pid in pids]
    time.sleep(seconds)
    passed, registered = time.monotonic() - started, store.customers() - customers
    server, *generators = ((cpu_seconds(pid) - before) / passed for pid, before in zip(pids, used, strict=True))
    return Stretch(registered / passed, server, sum(generators), reading.result().p99), registering.result()

"""Ten times more registrations than the machine can hash: what is still registered, refused, and read meanwhile."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks import load, reads
from benchmarks.limit import PRODUCTION
from benchmarks.servers import Store, gateway

PAUSE = 1000
"""Milliseconds before each request of a connection: so many connections offer about as many requests a second."""
READ = reads.READS["registrationPolicy"]


@dataclass(frozen=True, slots=True)
class Pressure:
    """Rates a second; p99 of a read in milliseconds, idle and under pressure."""

    peak: float
    offered: float
    registered: float
    refused: float
    idle_p99: float
    busy_p99: float

    @property
    def kept(self) -> float:
        return self.registered / self.peak


def measure(directory: Path, store: Store, seconds: float) -> Pressure:
    """The deadline is shortened to one second, so that the queue is full soon."""
    with gateway(directory, store, PRODUCTION, GATEWAY_QUEUE_SECONDS="1") as running:
        idle = load.run(running.base_url, READ, connections=1, seconds=seconds / 2)
        load.run(running.base_url, "graphql", connections=8, seconds=1, tag="warm")
        peak = load.run(running.base_url, "graphql", connections=32, seconds=seconds, tag="peak")
        connections = round(peak.rate * 10)
        flood = load.start(
            running.base_url,
            "graphql",
            connections=connections,
            seconds=seconds * 2,
            tag="flood",
            pause=PAUSE,
            overload=True,
        )
        reading = load.start(running.base_url, READ, connections=1, seconds=seconds * 1.5)
        busy, seen = reading.result(), flood.result()
    return Pressure(
        peak=peak.rate,
        offered=(seen.good + seen.overloaded) / seen.seconds,
        registered=seen.rate,
        refused=seen.overloaded / seen.seconds,
        idle_p99=idle.p99,
        busy_p99=busy.p99,
    )

"""Ten times as many sign-ups as the machine can hash: how many are registered and refused, and how long reads take."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median

from benchmarks import bare_hash, load, reads
from benchmarks.load import Generator
from graphql_api.server.admission import REFUSE_AT
from harness.gateway import Gateway
from harness.processes import cpu_seconds
from harness.production import gateway
from harness.store import Store

TIMES = 10
PAUSE = 1000
"""Milliseconds before each request of a connection: n connections send about n requests a second."""
QUEUE_SECONDS = 5
"""The deadline of the queue, which is the default. For so long the gateway has work after a flood."""
SECONDS = 2.0
"""The length of a stretch. The gateway closes connections that are idle for five seconds; pauses are two at most."""
RAMP = 1.5
"""Seconds until a flood that was stopped has its pace again and the queue is full."""
READ = reads.READS["me"]
READ_PAUSE = 10
"""Milliseconds: about 90 reads a second, few enough to be no load."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some seconds of a load: registrations a second, and how many processors server and wrk kept busy."""

    rate: float
    server: float
    generator: float


@dataclass(frozen=True, slots=True)
class Round:
    """All hash slots at work: during the flood, and right after it, while the gateway works off its queue."""

    flood: Stretch
    calm: Stretch

    @property
    def kept(self) -> float:
        return self.flood.rate / self.calm.rate


@dataclass(frozen=True, slots=True)
class Pressure:
    """Registrations of some rounds; requests offered and refused a second while the flood ran.

    p99 of `me` in milliseconds: idle, with all hash slots at work, and in the flood.
    """

    rounds: list[Round]
    offered: float
    refused: float
    idle_p99: float
    full_p99: float
    flood_p99: float

    @property
    def flood(self) -> Stretch:
        return _middle([each.flood for each in self.rounds])

    @property
    def calm(self) -> Stretch:
        return _middle([each.calm for each in self.rounds])

    @property
    def kept(self) -> float:
        return median(each.kept for each in self.rounds)


def measure(directory: Path, store: Store, rounds: int, seconds: float = SECONDS) -> Pressure:
    """A flood that is stopped every few seconds, because the speed of the machine differs from minute to minute."""
    with gateway(directory, store, bare_hash.PRODUCTION, GATEWAY_QUEUE_SECONDS=str(QUEUE_SECONDS)) as running:
        token = reads.token_of(running, store)
        load.run(running.base_url, "graphql", connections=32, seconds=2, tag="warm")
        idle = _reading(running, token, 3 * seconds).result()
        peak = load.start(running.base_url, "graphql", connections=32, seconds=3 * seconds, tag="peak")
        full, capacity = _reading(running, token, 3 * seconds).result(), peak.result().rate
        held = rounds * seconds
        flood = _flooding(running, capacity, "flood", RAMP + 3 * seconds + rounds * (RAMP + seconds) + held + 1)
        time.sleep(RAMP)
        flooded = _reading(running, token, 3 * seconds).result()
        seen = [_round(running, store, flood, seconds) for _ in range(rounds)]
        asked = flood.result()
    return Pressure(
        rounds=seen,
        offered=(asked.good + asked.overloaded) / (asked.seconds - held),
        refused=asked.overloaded / (asked.seconds - held),
        idle_p99=idle.p99,
        full_p99=full.p99,
        flood_p99=flooded.p99,
    )


def one_round(running: Gateway, store: Store, capacity: float, tag: str) -> Round:
    """A flood of its own with `tag` in its addresses; the gateway can register `capacity` customers a second."""
    flood = _flooding(running, capacity, tag, RAMP + 2 * SECONDS + 1)
    seen = _round(running, store, flood, SECONDS)
    flood.result()
    load.settled(store.customers)
    return seen


def _flooding(running: Gateway, capacity: float, tag: str, seconds: float) -> Generator:
    """Start the flood. It has connections for those that wait in the queue, too, because these send nothing else.

    `batch`: clients on other machines would not preempt a hash here a thousand times a second.
    """
    return load.start(
        running.base_url,
        "graphql",
        connections=round(capacity * (TIMES + REFUSE_AT * QUEUE_SECONDS)),
        seconds=seconds,
        tag=tag,
        pause=PAUSE,
        overload=True,
        batch=True,
    )


def _round(running: Gateway, store: Store, flood: Generator, seconds: float) -> Round:
    time.sleep(RAMP)
    flooded = _stretch(running, store, flood, seconds)
    os.kill(flood.pid, signal.SIGSTOP)
    try:
        return Round(flooded, _stretch(running, store, flood, seconds))
    finally:
        os.kill(flood.pid, signal.SIGCONT)


def _stretch(running: Gateway, store: Store, flood: Generator, seconds: float) -> Stretch:
    pids = (running.process.pid, flood.pid)
    started, customers, used = time.monotonic(), store.customers(), [cpu_seconds(pid) for pid in pids]
    time.sleep(seconds)
    passed, registered = time.monotonic() - started, store.customers() - customers
    server, generator = ((cpu_seconds(pid) - before) / passed for pid, before in zip(pids, used, strict=True))
    return Stretch(registered / passed, server, generator)


def _reading(running: Gateway, token: str, seconds: float) -> Generator:
    return load.start(running.base_url, READ, connections=1, seconds=seconds, pause=READ_PAUSE, token=token)


def _middle(stretches: Sequence[Stretch]) -> Stretch:
    """The median of each number by itself."""
    return Stretch(*map(median, zip(*map(astuple, stretches), strict=True)))

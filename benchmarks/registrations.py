"""Registrations a second beside the bare limit of the same minutes, through both doors; it judges nothing."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import mean
from typing import Literal

from benchmarks import limit, load
from benchmarks.processes import cpu_seconds, memory_mib
from benchmarks.servers import Engine, Store, gateway
from registration.calibration import Costs
from registration.machine import cores
from tests.servers.gateway import Gateway

Door = Literal["graphql", "rest"]
DOORS: tuple[Door, ...] = ("graphql", "rest")
TAGS = count(1)
SETTLE = 0.5
"""Seconds for what is in flight when wrk stops: it is counted as registered, so its CPU must be counted, too."""


@dataclass(frozen=True, slots=True)
class Registrations:
    """One kind of load. Rates a second, CPU and answer times in milliseconds, memory of the largest worker in MiB.

    `hash_ms` is the CPU of a bare hash with all slots at work, `limit` how many of them a second there were.
    """

    engine: Engine
    door: Door
    workers: int
    concurrency: int
    rate: float
    limit: float
    hash_ms: float
    server_ms: float
    database_ms: float
    generator_ms: float
    p50: float
    p95: float
    p99: float
    memory: float

    @property
    def ratio(self) -> float:
        return self.rate / self.limit

    @property
    def share(self) -> float:
        """Of the hash in the server's CPU."""
        return self.hash_ms / self.server_ms

    @property
    def besides_ms(self) -> float:
        return self.server_ms - self.hash_ms


@dataclass(frozen=True, slots=True)
class Slice:
    """One load, without the limit beside it."""

    load: load.Load
    server_ms: float
    database_ms: float
    generator_ms: float


def measure(
    directory: Path,
    store: Store,
    *,
    engine: Engine,
    workers: int,
    concurrencies: tuple[int, ...],
    seconds: float,
    costs: Costs = limit.PRODUCTION,
) -> Iterator[Registrations]:
    """Loads of this many seconds, each between two measurements of the limit."""
    with gateway(directory, store, costs, workers=workers) as running:
        for door in DOORS:
            one_load(running, store, door, 8, 1.0)  # fills caches and pools
        for concurrency in concurrencies:
            limits = [_limit(costs, seconds)]
            for door in DOORS:
                slice_ = one_load(running, store, door, concurrency, seconds)
                limits.append(_limit(costs, seconds))
                yield Registrations(
                    engine=engine,
                    door=door,
                    workers=workers,
                    concurrency=concurrency,
                    rate=slice_.load.rate,
                    limit=mean(each.rate for each in limits[-2:]),
                    hash_ms=mean(each.cpu_ms for each in limits[-2:]),
                    server_ms=slice_.server_ms,
                    database_ms=slice_.database_ms,
                    generator_ms=slice_.generator_ms,
                    p50=slice_.load.p50,
                    p95=slice_.load.p95,
                    p99=slice_.load.p99,
                    memory=memory_mib(running.process.pid)[0],
                )


def one_load(running: Gateway, store: Store, door: Door, concurrency: int, seconds: float) -> Slice:
    """CPU is divided by the customers that there are afterwards, so those whose answer wrk did not await count."""
    customers, server, database = store.customers(), cpu_seconds(running.process.pid), store.cpu_seconds
    tag = f"{door}{next(TAGS)}"
    seen = load.run(running.base_url, door, connections=concurrency, seconds=seconds, tag=tag)
    time.sleep(SETTLE)
    server, database = cpu_seconds(running.process.pid) - server, store.cpu_seconds - database
    number = store.customers() - customers
    return Slice(seen, server * 1000 / number, database * 1000 / number, seen.cpu * 1000 / number)


def _limit(costs: Costs, seconds: float) -> limit.Limit:
    return limit.measure(costs, cores(), seconds / 3)

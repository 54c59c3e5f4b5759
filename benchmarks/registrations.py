"""Registrations a second beside the bare limit of the same minutes, through both doors; it judges nothing."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import mean
from typing import Literal

from benchmarks import bare_hash as limit
from benchmarks import load
from harness.gateway import Gateway
from harness.processes import cpu_seconds, memory_mib
from harness.production import gateway
from harness.store import Engine, Store
from registration.hashing.calibration import Costs
from registration.hashing.machine import cores

Door = Literal["graphql", "rest"]
Build = Literal["host", "portable"]
DOORS: tuple[Door, ...] = ("graphql", "rest")
TAGS = count(1)
SETTLE = 0.5
"""Seconds for what is in flight when wrk stops: it is counted as registered, so its CPU must be counted, too."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is loaded how; `build` is of Argon2: for this host, or the portable wheel."""

    engine: Engine
    door: Door
    build: Build
    workers: int
    concurrency: int


@dataclass(frozen=True, slots=True)
class Registrations:
    """What came of one kind of load. Rates a second, CPU and answer times in ms, memory of the largest worker in MiB.

    `hash_ms` is the CPU of a bare hash with all slots at work, `limit` how many of them a second there were.
    """

    kind: Kind
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
    rounds: Mapping[int, int],
    seconds: float,
    costs: Costs = limit.PRODUCTION,
    wheel: Path | None = None,
) -> Iterator[Registrations]:
    """Rounds of so many seconds, by concurrency, each beside the limit; of each kind the middle one by its share.

    In turns, because what else happens on the machine comes and goes within minutes. `wheel` is a directory with the
    portable build, which is measured then.
    """
    modules = {"PYTHONPATH": str(wheel)} if wheel else {}
    build: Build = "portable" if wheel else "host"

    def bare_hashes() -> limit.Limit:
        return limit.measure(costs, cores(), seconds / 3, modules=wheel)

    with gateway(directory, store, costs, workers=workers, **modules) as running:
        for door in DOORS:
            one_load(running, store, door, 8, 1.0)  # fills caches and pools
        for concurrency, times in rounds.items():
            seen: dict[Door, list[Registrations]] = {door: [] for door in DOORS}
            limits = [bare_hashes()]
            for door in DOORS * times:
                slice_ = one_load(running, store, door, concurrency, seconds)
                limits.append(bare_hashes())
                memory = memory_mib(running.process.pid)[0]
                kind = Kind(engine, door, build, workers, concurrency)
                seen[door].append(_beside(kind, slice_, limits[-2:], memory))
            for door in DOORS:
                yield sorted(seen[door], key=lambda each: each.share)[times // 2]


def _beside(kind: Kind, slice_: Slice, limits: Sequence[limit.Limit], memory: float) -> Registrations:
    return Registrations(
        kind=kind,
        rate=slice_.load.rate,
        limit=mean(each.rate for each in limits),
        hash_ms=mean(each.cpu_ms for each in limits),
        server_ms=slice_.server_ms,
        database_ms=slice_.database_ms,
        generator_ms=slice_.generator_ms,
        p50=slice_.load.p50,
        p95=slice_.load.p95,
        p99=slice_.load.p99,
        memory=memory,
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

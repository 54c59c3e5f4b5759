"""Registrations a second through both doors, compared with bare hashes a second in the same minutes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import mean
from typing import Literal

from benchmarks import bare_hash, load
from benchmarks.bare_hash import BareHash
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


@dataclass(frozen=True, slots=True)
class Kind:
    """What is loaded, and how; `build` is that of Argon2: for this host, or the portable wheel."""

    engine: Engine
    door: Door
    build: Build
    workers: int
    concurrency: int


@dataclass(frozen=True, slots=True)
class Registrations:
    """Results of one kind of load: rates a second, CPU and response times in ms, memory of the largest worker in MiB.

    `hash_ms` is the CPU of a bare hash with all slots at work, and `bare_rate` the number of those a second.
    """

    kind: Kind
    rate: float
    bare_rate: float
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
        return self.rate / self.bare_rate

    @property
    def share(self) -> float:
        """The share of the hash in the CPU of the server."""
        return self.hash_ms / self.server_ms

    @property
    def overhead_ms(self) -> float:
        return self.server_ms - self.hash_ms


@dataclass(frozen=True, slots=True)
class Slice:
    """One load, without the bare hashes."""

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
    costs: Costs = bare_hash.PRODUCTION,
    wheel: Path | None = None,
) -> Iterator[Registrations]:
    """Loads of so many seconds between bare hashes; `rounds` by concurrency. Yields the load with the median share.

    The doors take turns, because other load on the machine comes and goes within minutes. If `wheel` is given, the
    gateway uses the portable build in that directory.
    """
    build: Build = "portable" if wheel else "host"

    def bare_hashes() -> BareHash:
        return bare_hash.measure(costs, cores(), seconds / 3, modules=wheel)

    with gateway(directory, store, costs, workers=workers, PYTHONPATH=str(wheel or "")) as running:
        for door in DOORS:
            one_load(running, store, door, 8, 1.0)  # fills caches and pools
        for concurrency, times in rounds.items():
            seen: dict[Door, list[Registrations]] = {door: [] for door in DOORS}
            bare = [bare_hashes()]
            for door in DOORS * times:
                slice_ = one_load(running, store, door, concurrency, seconds)
                bare.append(bare_hashes())
                memory = memory_mib(running.process.pid)[0]
                kind = Kind(engine, door, build, workers, concurrency)
                seen[door].append(_beside(kind, slice_, bare[-2:], memory))
            for door in DOORS:
                yield sorted(seen[door], key=lambda each: each.share)[times // 2]


def _beside(kind: Kind, slice_: Slice, bare: Sequence[BareHash], memory: float) -> Registrations:
    return Registrations(
        kind=kind,
        rate=slice_.load.rate,
        bare_rate=mean(each.rate for each in bare),
        hash_ms=mean(each.cpu_ms for each in bare),
        server_ms=slice_.server_ms,
        database_ms=slice_.database_ms,
        generator_ms=slice_.generator_ms,
        p50=slice_.load.p50,
        p95=slice_.load.p95,
        p99=slice_.load.p99,
        memory=memory,
    )


def one_load(running: Gateway, store: Store, door: Door, concurrency: int, seconds: float) -> Slice:
    """One load; CPU is divided by all customers stored, which are more than the successes that wrk waited for."""
    customers, server, database = store.customers(), cpu_seconds(running.process.pid), store.cpu_seconds
    tag = f"{door}{next(TAGS)}"
    seen = load.run(running.base_url, door, connections=concurrency, seconds=seconds, tag=tag)
    number = load.settled(store.customers) - customers
    server, database = cpu_seconds(running.process.pid) - server, store.cpu_seconds - database
    return Slice(seen, server * 1000 / number, database * 1000 / number, seen.cpu * 1000 / number)

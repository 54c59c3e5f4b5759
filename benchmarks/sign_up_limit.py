"""The cost of GATEWAY_SIGN_UP_LIMIT: the share of the hash in the CPU of a registration, with and without the limit."""

from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from benchmarks import bare_hash
from benchmarks.bare_hash import PRODUCTION
from benchmarks.registrations import one_load
from harness.production import gateway
from harness.store import Engine, store
from registration.hashing.machine import cores

CONCURRENCY = 32
UNREACHED = "1000000"
"""Sign-ups an hour. Each is counted, and none is refused."""


@dataclass(frozen=True, slots=True)
class LimitCost:
    """Medians of some rounds; `fall` is that of the differences within a round."""

    engine: Engine
    share_without: float
    share_with: float
    fall: float


def measure(directory: Path, engine: Engine, seconds: float, rounds: int) -> LimitCost:
    """Load a gateway without the limit and one with it in turns, both on one database, between bare hashes."""
    seen: list[tuple[float, float]] = []
    with (
        store(engine, directory) as empty,
        gateway(directory, empty, PRODUCTION) as free,
        gateway(directory, empty, PRODUCTION, GATEWAY_SIGN_UP_LIMIT=UNREACHED) as limited,
    ):
        for running in (free, limited):
            one_load(running, empty, "graphql", 8, 1.0)  # fills caches and pools
        hash_ms = [_hash_ms(seconds)]
        for _ in range(rounds):
            without, limit = (one_load(each, empty, "graphql", CONCURRENCY, seconds) for each in (free, limited))
            hash_ms.append(_hash_ms(seconds))
            bare = mean(hash_ms[-2:])
            seen.append((bare / without.server_ms, bare / limit.server_ms))
    shares_without, shares_with = zip(*seen, strict=True)
    return LimitCost(engine, median(shares_without), median(shares_with), median(a - b for a, b in seen))


def _hash_ms(seconds: float) -> float:
    return bare_hash.measure(PRODUCTION, cores(), seconds / 3).cpu_ms

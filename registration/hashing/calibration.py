"""Calibration: how fast this machine hashes, and which costs it can bear."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from registration.hashing.argon2id import Argon2id

Clock = Callable[[], float]
# The least that OWASP's Password Storage Cheat Sheet lists, as memory in KiB times passes: 7168 and 5.
OWASP_MINIMUM = 7168 * 5


@dataclass(frozen=True, slots=True)
class Costs:
    """Parameters of Argon2id."""

    memory_kib: int
    time_cost: int
    parallelism: int = 1

    @property
    def is_weak(self) -> bool:
        return self.memory_kib * self.time_cost < OWASP_MINIMUM


@dataclass(frozen=True, slots=True)
class Speed:
    """A measurement of hashes side by side: how many a second in all, seconds for each, bytes in huge pages."""

    rate: float
    seconds: float
    keeps_memory: bool
    huge_bytes: int


def measure(costs: Costs, threads: int, seconds: float, clock: Clock) -> Speed:
    """Hash in this many threads at once for about `seconds`."""
    argon2id = Argon2id(memory_kib=costs.memory_kib, time_cost=costs.time_cost, parallelism=costs.parallelism)
    with closing(argon2id), ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: argon2id.hash(b""), range(threads)))  # touches the memory
        started = clock()
        rounds = sum(pool.map(lambda _: _hashes_until(argon2id, started + seconds, clock), range(threads)))
        passed = clock() - started
        return Speed(rounds / passed, passed * threads / rounds, argon2id.keeps_memory, _huge_bytes())


def propose(memory_kib: int, wish: float, seconds_of: Callable[[Costs], float]) -> Costs:
    """The most passes over the memory within `wish` seconds; if one takes longer, one pass over less memory.

    `seconds_of` gives the seconds that one hash of given costs takes.
    """
    once = seconds_of(Costs(memory_kib, 1))
    if once > wish:
        return Costs(max(8, int(memory_kib * wish / once)), 1)
    another = max(seconds_of(Costs(memory_kib, 2)) - once, once / 10)
    return Costs(memory_kib, 1 + int((wish - once) / another))


def _hashes_until(argon2id: Argon2id, end: float, clock: Clock) -> int:
    """Hash until the clock shows `end`, at least once; returns the number of hashes."""
    number = 0
    while number == 0 or clock() < end:
        argon2id.hash(b"")
        number += 1
    return number


def _huge_bytes() -> int:
    try:
        rollup = Path("/proc/self/smaps_rollup").read_text()
    except OSError:  # pragma: no cover - not Linux
        return 0
    found = re.search(r"^AnonHugePages: +(\d+) kB$", rollup, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0  # pragma: no branch - any Linux of today says

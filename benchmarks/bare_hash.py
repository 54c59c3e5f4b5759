"""Argon2id hashes a second with nothing else to do: the most registrations a second that a machine could make.

`python -m benchmarks.bare_hash MEMORY_KIB PASSES THREADS SECONDS [default]` prints one result as JSON; `default` takes
argon2-cffi as it comes, which gives its memory back after every hash.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from argon2 import PasswordHasher

from registration.hashing.argon2id import Argon2id, built_for
from registration.hashing.calibration import Costs

PRODUCTION = Costs(19_456, 2)
CHEAPEST = Costs(8, 1)
REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class BareHash:
    """Hashes a second of all threads together, CPU milliseconds of one hash, and the -march of the build, if known."""

    rate: float
    cpu_ms: float
    built_for: str | None


def measure(
    costs: Costs, threads: int, seconds: float, *, default: bool = False, modules: Path | None = None
) -> BareHash:
    """Measure in a process of its own, which does nothing else. Modules in the directory `modules` are preferred."""
    arguments = [str(costs.memory_kib), str(costs.time_cost), str(threads), str(seconds), *(["default"] * default)]
    path = os.pathsep.join(map(str, filter(None, (modules, REPOSITORY))))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bare_hash", *arguments],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return BareHash(**json.loads(done.stdout))


def main(memory_kib: str, passes: str, threads: str, seconds: str, kind: str = "kept") -> None:
    hash_one = _hasher(Costs(int(memory_kib), int(passes)), kind)
    with ThreadPoolExecutor(int(threads)) as pool:
        list(pool.map(lambda _: hash_one(), range(int(threads) * 4)))
        started, cpu = time.perf_counter(), time.process_time()
        end = started + float(seconds)
        number = sum(pool.map(lambda _: _until(end, hash_one), range(int(threads))))
        passed, used = time.perf_counter() - started, time.process_time() - cpu
    print(json.dumps(asdict(BareHash(number / passed, used * 1000 / number, built_for()))))


def _hasher(costs: Costs, kind: str) -> Callable[[], object]:
    if kind == "default":
        stock = PasswordHasher(memory_cost=costs.memory_kib, time_cost=costs.time_cost, parallelism=1)
        return lambda: stock.hash("correct horse")
    ours = Argon2id(memory_kib=costs.memory_kib, time_cost=costs.time_cost, parallelism=1)
    return lambda: ours.hash(b"correct horse")


def _until(end: float, hash_one: Callable[[], object]) -> int:
    number = 0
    while number == 0 or time.perf_counter() < end:
        hash_one()
        number += 1
    return number


if __name__ == "__main__":
    main(*sys.argv[1:])

"""How long a start takes, and the memory of a worker before the first load."""

import compileall
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx2

from benchmarks.bare_hash import PRODUCTION
from harness.gateway import COMMAND
from harness.processes import memory_mib
from harness.production import gateway
from harness.store import Store

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = ("registration", "graphql_api", "rest_compat")


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the command to the first GraphQL response; resident MiB of the worker then."""

    seconds: float
    memory: float


def measure(directory: Path, store: Store, times: int) -> Start:
    """Medians of some starts with existing keys, database and byte code."""
    compile_packages(REPOSITORY)
    seen = [one_start(directory, store) for _ in range(times)]
    return Start(median(each.seconds for each in seen), median(each.memory for each in seen))


def compile_packages(repository: Path) -> None:
    """Write byte code, as pip does when it installs, and as the first start does from a clone."""
    for package in PACKAGES:
        compileall.compile_dir(repository / package, quiet=2)


def one_start(directory: Path, store: Store, command: Path = COMMAND) -> Start:
    started = time.monotonic()
    with gateway(directory, store, PRODUCTION, command=command) as running:
        answer = httpx2.post(f"{running.base_url}/graphql", json={"query": "{ __typename }"})
        seconds = time.monotonic() - started
        answer.raise_for_status()
        return Start(seconds, memory_mib(running.process.pid)[0])

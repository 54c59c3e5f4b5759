"""Reads through GraphQL compared with a bare Starlette route, each on one core with wrk on another."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load
from benchmarks.bare_hash import CHEAPEST
from benchmarks.population import populate_signed_in
from harness.gateway import DIES_WITH_US, Gateway, succeeds
from harness.ports import HOST, free_port
from harness.production import gateway, services_of
from harness.store import Store

CONNECTIONS = 32
SERVER_CORE, GENERATOR_CORE = 0, 1
READS = {
    "{ __typename }": '/graphql {"query":"{ __typename }"}',
    "me": '/graphql {"query":"{ me { reference email salutation firstName lastName gender confirmedAt } }"}',
    "registrationPolicy": '/graphql {"query":"{ registrationPolicy { password { minLength maxLength'
    ' specialCharacters } salutations genders nameMaxLength emailMaxLength confirmationRequired disclosure } }"}',
}


@dataclass(frozen=True, slots=True)
class Read:
    """`rate` and `bare` are requests a second on one core: of the gateway, and of the bare route before and after."""

    name: str
    rate: float
    bare: float
    p99: float

    @property
    def ratio(self) -> float:
        return self.rate / self.bare


def measure(directory: Path, store: Store, seconds: float, rounds: int) -> Iterator[Read]:
    """Load the bare route before and after each load of the gateway; of some rounds the one with the median ratio."""
    with gateway(directory, store, CHEAPEST) as running, bare_route() as bare_url:
        token = token_of(running, store)
        pin(running)
        bare = [bare_rate(bare_url, seconds)]
        for name, kind in READS.items():
            seen = []
            for _ in range(rounds):
                seen_load = one_load(running.base_url, kind, seconds, token)
                bare.append(bare_rate(bare_url, seconds))
                seen.append(Read(name, seen_load.rate, sum(bare[-2:]) / 2, seen_load.p99))
            yield sorted(seen, key=lambda each: each.ratio)[rounds // 2]


@contextmanager
def bare_route() -> Iterator[str]:
    """The base URL of baseline.py, served as the gateway is and pinned to its core."""
    port = free_port()
    pinned = [*DIES_WITH_US, "taskset", "--cpu-list", str(SERVER_CORE)]
    command = [sys.executable, "-m", "uvicorn", "benchmarks.baseline:app", "--host", HOST, "--port", str(port)]
    as_the_gateway = ["--loop", "uvloop", "--http", "httptools", "--log-level", "critical"]
    server = subprocess.Popen([*pinned, *command, *as_the_gateway])
    try:
        while not succeeds(port, "/"):
            if server.poll() is not None:
                raise RuntimeError(f"the bare route ended with {server.returncode}")
            time.sleep(0.05)
        yield f"http://{HOST}:{port}"
    finally:
        server.terminate()
        server.wait()


def token_of(running: Gateway, store: Store) -> str:
    """The access token of a customer in the store."""
    with services_of(running, store) as services:
        return populate_signed_in(services, 1)[0].token


def pin(running: Gateway) -> None:
    """Let a gateway run on the core of the bare route only."""
    for task in Path(f"/proc/{running.process.pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {SERVER_CORE})


def bare_rate(url: str, seconds: float) -> float:
    """Requests a second of the bare route."""
    return one_load(url, f"/ {READS['{ __typename }'].partition(' ')[2]}", seconds).rate


def one_load(url: str, kind: str, seconds: float, token: str = "") -> load.Load:
    """A load on the other core."""
    return load.run(url, kind, connections=CONNECTIONS, seconds=seconds, core=GENERATOR_CORE, token=token)

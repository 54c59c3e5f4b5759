"""What frames a run: the machine it is on, how long its parts take and where its results are kept; it measures none."""

import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from registration.hashing.argon2id import built_for
from registration.hashing.machine import cores, memory_bytes

RESULTS = Path(__file__).with_name("results")


def results_directory(machine: str, kind: str) -> Path:
    """Where the results of this kind of run on this machine are kept; made if it is not there."""
    directory = RESULTS / re.sub(r"[^a-z0-9]+", "-", machine.partition(",")[0].lower()).strip("-") / kind
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def describe_machine() -> str:
    """One line that says where the numbers come from."""
    names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = (memory_bytes() or 0) / 2**30
    build = f"Argon2 built with -march={built_for()}" if built_for() else "Argon2 from the portable wheel"
    parts = [
        f"{names[0] if names else platform.machine()} with {cores()} cores",
        f"{memory:.0f} GiB",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
        build,
        f"load {os.getloadavg()[0]:.1f} before the run",
        time.strftime("%Y-%m-%d"),
    ]
    return ", ".join(parts)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """A part of a run, with its duration; no commit of it waits for what earlier parts have left to be written."""
    os.sync()
    started = time.monotonic()
    print(f"{what} ...", end=" ", flush=True)
    yield
    print(f"{time.monotonic() - started:.0f} s", flush=True)

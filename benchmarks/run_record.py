"""The record of a run: its machine, how long its parts take, and where its results are kept."""

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
    """The directory for results of this kind of run on this machine; made if it does not exist."""
    directory = RESULTS / re.sub(r"[^a-z0-9]+", "-", machine.partition(",")[0].lower()).strip("-") / kind
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def describe_machine() -> str:
    """One line about processor, memory, versions, build, load and date."""
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
    """Print the name and duration of a part. Writes of earlier parts are flushed first: commits would wait for them."""
    os.sync()
    started = time.monotonic()
    print(f"{what} ...", end=" ", flush=True)
    yield
    print(f"{time.monotonic() - started:.0f} s", flush=True)

"""The load generator: wrk with load.lua, which makes every registration one of a new address."""

import json
import resource
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("load.lua")
SETTLE = 0.5
"""Seconds without a new registration after which none is in flight."""


class LoadError(Exception):
    """wrk is missing, or the server answered with an error; the text is one line to print."""


@dataclass(frozen=True, slots=True)
class Load:
    """Responses by kind, their times in milliseconds with the longest, and the CPU seconds of wrk itself."""

    good: int
    overloaded: int
    seconds: float
    p50: float
    p95: float
    p99: float
    cpu: float
    longest: float = 0.0

    @property
    def rate(self) -> float:
        return self.good / self.seconds


class Generator:
    """A running wrk process."""

    def __init__(self, process: subprocess.Popen[str], *, overload: bool) -> None:
        self.pid = process.pid
        self._process = process
        self._overload = overload

    def result(self) -> Load:
        """Wait until wrk ends. Raises LoadError unless every response is a success, or an expected 503."""
        before = _children_cpu()
        output, errors = self._process.communicate()
        if self._process.returncode != 0:
            raise LoadError(f"wrk ended with {self._process.returncode}: {errors.strip() or output.strip()}")
        return judged(output, _children_cpu() - before, overload=self._overload)


def judged(output: str, cpu: float, *, overload: bool) -> Load:
    """Read the last line that load.lua printed. Raises LoadError on any error: a failing server has no figures."""
    seen = json.loads(output.strip().splitlines()[-1])
    sample, bad, lost = seen.pop("sample"), seen.pop("bad"), seen.pop("lost")
    if bad:
        raise LoadError(f"{bad} responses were errors, for example: {sample}")
    if lost:
        raise LoadError(f"{lost} requests failed or were not answered")
    if seen["overloaded"] and not overload:
        raise LoadError(f"{seen['overloaded']} requests were refused as overload")
    if not seen["good"] and not seen["overloaded"]:
        raise LoadError("nothing was answered")
    return Load(cpu=cpu, **seen)


def start(
    base_url: str,
    kind: str,
    *,
    connections: int,
    seconds: float,
    tag: str = "",
    pause: int = 0,
    overload: bool = False,
    core: int | None = None,
    batch: bool = False,
    token: str = "",
) -> Generator:
    """Start wrk. `kind` is graphql, rest, sign-in, or a path and, after a space, the body to post.

    `tag` must differ between loads of one database: it is a part of each new address. For sign-ins it is the addresses,
    comma-separated. Each connection waits `pause` ms before a request, on average. `core` pins wrk to a processor.
    With `batch` (SCHED_BATCH) wrk does not preempt other processes when it wakes up. `token` is an access token.
    Raises LoadError when wrk is not installed.
    """
    require_wrk()
    pinned = [] if core is None else ["taskset", "--cpu-list", str(core)]
    scheduled = ["chrt", "--batch", "0"] if batch else []
    options = ["--threads", "1", "--connections", str(connections), "--duration", f"{max(1, round(seconds))}s"]
    command = [*pinned, *scheduled, "wrk", *options, "--timeout", "60s", "--script", str(SCRIPT), base_url]
    arguments = [kind, tag, str(pause), token]
    process = subprocess.Popen([*command, "--", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return Generator(process, overload=overload)


def require_wrk() -> None:
    """Raises LoadError when wrk is not installed."""
    if shutil.which("wrk") is None:
        raise LoadError("wrk, the load generator, is not installed: apt-get install wrk")


def run(base_url: str, kind: str, *, connections: int, seconds: float, **options: Any) -> Load:
    """Load the server for some seconds, with the options of `start`. Raises LoadError."""
    return start(base_url, kind, connections=connections, seconds=seconds, **options).result()


def settled(count: Callable[[], int]) -> int:
    """The number of registrations when it grows no more: wrk ends before the requests that it has sent."""
    number, before = count(), -1
    while number != before:
        time.sleep(SETTLE)
        number, before = count(), number
    return number


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

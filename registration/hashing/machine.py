"""The cores and the memory that this process may use, within the limits of its container."""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path

ROOT = Path("/")


def cores(root: Path = ROOT) -> int:
    """The cores that the process may run on, or fewer where its control group gets less time; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *map(ceil, _quotas(root))]))


def memory_bytes(root: Path = ROOT) -> int | None:
    """The machine's memory, or the control group's where that is less; None where neither can be read (not Linux)."""
    limits = [int(text) for text in _settings(root, "memory.max", "memory/memory.limit_in_bytes") if text.isdecimal()]
    total = _read(root / "proc/meminfo").partition("MemTotal:")[2].split()
    return min([*limits, *(int(kib) * 1024 for kib in total[:1])], default=None)


def _quotas(root: Path) -> Iterator[float]:
    for quota, period in (text.split() for text in _settings(root, "cpu.max")):
        if quota.isdecimal():
            yield int(quota) / int(period)


def _settings(root: Path, *names: str) -> Iterator[str]:
    """The contents of a control group's files, its own and those of the groups around it."""
    mounted = root / "sys/fs/cgroup"
    own = mounted / _read(root / "proc/self/cgroup").rpartition("0::/")[2].strip()
    for group in (own, *own.parents):
        if group.is_relative_to(mounted):
            yield from filter(None, (_read(group / name) for name in names))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""

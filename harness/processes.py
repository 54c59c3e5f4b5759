"""CPU time and memory of running processes, from /proc; it never changes them."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 2**20


def tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # ended meanwhile
        return [pid]
    return [pid, *(descendant for child in children for descendant in tree(child))]


def cpu_seconds(pid: int) -> float:
    """What a process and its descendants used, those that have ended too: user and system time."""
    return sum(map(_cpu, tree(pid)))


def memory_mib(pid: int) -> list[float]:
    """Resident memory of each worker: the processes of the tree that have our threads, the largest first."""
    return sorted((_resident(each) for each in tree(pid)), reverse=True)


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS


def _resident(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB
    except OSError:
        return 0.0

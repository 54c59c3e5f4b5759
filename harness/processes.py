"""CPU time, memory and command lines of running processes, from /proc."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 2**20


def tree(pid: int) -> list[int]:
    """The ids of a process and of all its descendants."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # ended meanwhile
        return [pid]
    return [pid, *(descendant for child in children for descendant in tree(child))]


def command_line(pid: int) -> str:
    """Its words with a NUL after each; empty for a process that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def working_in(directory: Path) -> list[int]:
    """The ids of all processes whose working directory this is: those of a PostgreSQL, for its data directory."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _is_in(entry, directory)]


def _is_in(process: Path, directory: Path) -> bool:
    try:
        return (process / "cwd").readlink() == directory
    except OSError:  # ended meanwhile, or of another user
        return False


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its descendants, including those that have ended."""
    return sum(map(_cpu, tree(pid)))


def memory_mib(pid: int) -> list[float]:
    """Resident memory of a process and each descendant, the largest first."""
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

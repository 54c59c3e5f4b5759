"""Cores and memory of the machine and of a container, from files as Linux writes them."""

import os
from pathlib import Path

import pytest

from registration.hashing.machine import cores, memory_bytes

GIB = 2**30


def system(root: Path, **files: str) -> Path:
    """A root directory with these files; underscores in names stand for slashes, double ones for underscores."""
    for name, content in files.items():
        path = root / name.replace("__", "\0").replace("_", "/").replace("\0", "_").replace("max", ".max")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


MACHINE = {"proc_meminfo": "MemTotal:       8388608 kB\nMemFree: 1 kB\n"}


class TestMemory:
    def test_is_the_machines(self, tmp_path: Path) -> None:
        """The memory is the machine's where no control group limits it."""
        assert memory_bytes(system(tmp_path, **MACHINE)) == 8 * GIB
        assert memory_bytes(system(tmp_path, **MACHINE, sys_fs_cgroup_memorymax="max\n")) == 8 * GIB

    @pytest.mark.parametrize("name", ["sys_fs_cgroup_memorymax", "sys_fs_cgroup_memory_memory.limit__in__bytes"])
    def test_is_the_containers(self, tmp_path: Path, name: str) -> None:
        """The memory is that of a control group of either version where that is less than the machine's."""
        assert memory_bytes(system(tmp_path, **MACHINE, **{name: f"{GIB}\n"})) == GIB
        assert memory_bytes(system(tmp_path, **MACHINE, **{name: "9223372036854771712\n"})) == 8 * GIB

    def test_is_the_least_of_all_groups_around(self, tmp_path: Path) -> None:
        """The memory is the least of a control group and those around it, as for a service in a slice."""
        service = {
            "proc_self_cgroup": "0::/shop.slice/gateway.service\n",
            "sys_fs_cgroup_shop.slice_memorymax": f"{2 * GIB}\n",
            "sys_fs_cgroup_shop.slice_gateway.service_memorymax": f"{4 * GIB}\n",
        }
        assert memory_bytes(system(tmp_path, **MACHINE, **service)) == 2 * GIB

    def test_is_none_on_other_systems(self, tmp_path: Path) -> None:
        """The memory is None on a system without these files."""
        assert memory_bytes(tmp_path) is None

    def test_is_known_here(self) -> None:
        """The memory is known on the machine that runs the tests."""
        assert (memory_bytes() or 0) > GIB / 4


class TestCores:
    def test_are_those_the_process_may_run_on(self, tmp_path: Path) -> None:
        """A process that is pinned to one core has one."""
        allowed = os.sched_getaffinity(0)
        assert cores(tmp_path) == len(allowed)
        os.sched_setaffinity(0, {min(allowed)})
        try:
            assert cores(tmp_path) == 1
        finally:
            os.sched_setaffinity(0, allowed)

    @pytest.mark.parametrize(
        ("quota", "most"), [("max 100000", 1000), ("100000 100000", 1), ("50000 100000", 1), ("150000 100000", 2)]
    )
    def test_are_no_more_than_the_containers_time(self, tmp_path: Path, quota: str, most: int) -> None:
        """A control group's share of time is rounded up to whole cores, and limits them."""
        assert cores(system(tmp_path, sys_fs_cgroup_cpumax=quota)) == min(most, len(os.sched_getaffinity(0)))

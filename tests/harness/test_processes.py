"""CPU and memory of process trees."""

import os
import subprocess
import sys

from harness.processes import cpu_seconds, memory_mib, tree

# A parent with two children: one has used half a second of CPU and ended, one sleeps and holds 100 MiB.
FAMILY = """
import subprocess, sys
BUSY = "import time\\nwhile time.process_time() < 0.5: pass"
SLEEPER = "held = b'x' * (100 << 20); print(flush=True); input()"
subprocess.run([sys.executable, "-c", BUSY])
child = subprocess.Popen([sys.executable, "-c", SLEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(flush=True)
input()
"""


def test_counts_children_that_live_and_that_have_ended() -> None:
    """CPU includes children that have ended; the largest memory of the tree comes first."""
    command = [sys.executable, "-c", FAMILY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as family:
        assert family.stdout
        family.stdout.readline()
        assert len(tree(family.pid)) == 2
        assert 0.5 <= cpu_seconds(family.pid) < 30
        assert 100 < memory_mib(family.pid)[0] < 200
        family.kill()


def test_a_process_that_has_ended_counts_nothing() -> None:
    """CPU and memory of a process that has ended are zero."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert cpu_seconds(gone.pid) == 0.0
    assert memory_mib(gone.pid) == [0.0]
    assert cpu_seconds(os.getpid()) > 0

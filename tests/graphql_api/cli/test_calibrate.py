"""The command `calibrate`, with the cheapest hashes and the least time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from graphql_api.cli.calibration_report import build_in_words, memory_in_words
from registration.hashing.calibration import Costs, Speed
from registration.hashing.machine import cores


def calibrate(*options: str, **environment: str) -> list[str]:
    """The lines that a successful command prints."""
    command: list[str | Path] = [
        Path(sys.executable).with_name("registration-gateway"),
        "calibrate",
        "--seconds=0",
        *options,
    ]
    outer = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    done = subprocess.run(command, env=outer | environment, capture_output=True, text=True, check=True)
    lines: list[str] = done.stdout.splitlines()
    return lines


@pytest.mark.long
def test_measures_and_proposes() -> None:
    """The command prints build, settings, memory, speed and a proposal; the defaults get no warning."""
    lines = calibrate("--memory-mib=32", "--milliseconds=1000")
    names = ["Build", "Settings", "Memory", "One slot", "All slots", "Proposal", "for 1000 ms a hash,"]
    assert len(lines) == len(names)
    assert all(line.strip().startswith(name) for line, name in zip(lines, names, strict=True))
    assert "GATEWAY_HASH_MEMORY_KIB=32768 GATEWAY_HASH_TIME_COST=" in lines[5]


def test_warns_of_weak_costs_and_too_many_slots() -> None:
    """Costs below OWASP's minimum and more slots than cores are each warned about."""
    lines = calibrate(
        "--memory-mib=1", "--milliseconds=1", GATEWAY_HASH_MEMORY_KIB="8", GATEWAY_HASH_SLOTS=str(cores() + 1)
    )
    warnings = [line for line in lines if line.startswith("Warning")]
    assert len(warnings) == 3
    assert "slots on" in warnings[0]
    assert warnings[1].startswith("Warning: this is weaker than OWASP's minimum")
    assert warnings[2].startswith("Warning: the proposal is weaker than OWASP's minimum")


@pytest.mark.long
def test_measures_nothing_that_does_not_fit() -> None:
    """Settings that need more memory than the machine has are warned about before anything is measured."""
    lines = calibrate(GATEWAY_HASH_MEMORY_KIB="4194304", GATEWAY_HASH_SLOTS="256", GATEWAY_WORKERS="64")
    assert lines[-1].startswith(f"Warning: {256 * 64} slots with 4096 MiB each need {4096 * 256 * 64} MiB")
    assert lines[-1].endswith("Nothing was measured.")


def test_names_the_build() -> None:
    """The report names the processors of the build, or says how to replace the portable wheel."""
    assert build_in_words("znver4") == "Build       for this host's processors (-march=znver4)"
    assert "make native" in build_in_words(None)


def test_tells_where_memory_cannot_be_kept() -> None:
    """The report says how much memory is kept, or that the system forbids it."""
    speed = Speed(rate=1, seconds=1, keeps_memory=False, huge_bytes=0)
    assert "forbids callbacks" in memory_in_words(speed, 2, Costs(19_456, 2))
    kept = Speed(rate=1, seconds=1, keeps_memory=True, huge_bytes=40 * 2**20)
    assert memory_in_words(kept, 2, Costs(19_456, 2)).endswith("2 x 19.0 MiB kept, 40 MiB in huge pages")

"""The hash engine beside argon2-cffi as everybody has it: portable wheel or build, memory given back or kept."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import bare_hash as limit
from native.build import PACKAGE, PIP, locked_entry
from registration.hashing.calibration import Costs

COSTS = (limit.PRODUCTION, Costs(47_104, 1))
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Engines:
    """Hashes a second on one core of CPU time; the wheel's are None where it could not be had."""

    costs: Costs
    wheel: float | None
    wheel_kept: float | None
    default: float
    kept: float
    built_for: str | None

    @property
    def gain(self) -> float | None:
        return self.kept / self.wheel if self.wheel else None


def measure(wheel: Path | None, seconds: float) -> list[Engines]:
    """In turns, so that a busy moment of the machine meets all of them; `wheel` as `portable_wheel` gives it."""
    return [_measure(costs, wheel, seconds) for costs in COSTS]


def portable_wheel(directory: Path) -> Path | None:
    """The locked wheel in a directory of its own; None without a registry."""
    entry, place = directory / "entry", directory / "wheel"
    entry.write_text(locked_entry())
    command = [*PIP, "--no-deps", "--only-binary", PACKAGE, "--target", str(place), "--requirement", str(entry)]
    done = subprocess.run(command, capture_output=True, check=False)
    return place if done.returncode == 0 else None


def _measure(costs: Costs, wheel: Path | None, seconds: float) -> Engines:
    kinds: list[tuple[bool, Path | None]] = [(True, None), (False, None)]
    kinds += [(True, wheel), (False, wheel)] if wheel else []
    seen: dict[tuple[bool, Path | None], list[float]] = {kind: [] for kind in kinds}
    built_for = None
    for _ in range(ROUNDS):
        for default, modules in kinds:
            one = limit.measure(costs, 1, seconds, default=default, modules=modules)
            seen[default, modules].append(1000 / one.cpu_ms)
            built_for = built_for or one.built_for
    middle = {kind: median(rates) for kind, rates in seen.items()}
    return Engines(
        costs=costs,
        wheel=middle[True, wheel] if wheel else None,
        wheel_kept=middle[False, wheel] if wheel else None,
        default=middle[True, None],
        kept=middle[False, None],
        built_for=built_for,
    )

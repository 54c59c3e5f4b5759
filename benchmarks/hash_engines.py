"""The hash engine compared with plain argon2-cffi: portable wheel or local build, memory given back or kept."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import bare_hash
from native.build import PACKAGE, PIP, locked_entry
from registration.hashing.calibration import Costs

COSTS = (bare_hash.PRODUCTION, Costs(47_104, 1))
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Engines:
    """Hashes per second of CPU time; those of the wheel are None where it could not be downloaded."""

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
    """Measure in turns, so that a busy moment of the machine slows all kinds; `wheel` is from `portable_wheel`."""
    return [_measure(costs, wheel, seconds) for costs in COSTS]


def portable_wheel(directory: Path) -> Path | None:
    """The directory with the locked wheel; None if it could not be downloaded."""
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
            one = bare_hash.measure(costs, 1, seconds, default=default, modules=modules)
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

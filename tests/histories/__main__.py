"""`python -m tests.histories`: random operations against faults, on both engines; exits with 1 after a violation."""

import argparse
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

from tests.histories.campaign import Findings, run
from tests.histories.stage import Engine, staged

SHOWN = 5


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="histories", description=__doc__)
    parser.add_argument("--operations", type=int, default=20_000, help="for each engine (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="of the choices of clients and faults (default: random)")
    parser.add_argument(
        "--engines", nargs="*", choices=get_args(Engine), default=["sqlite", "postgresql"], help="(default: both)"
    )
    given = parser.parse_args(arguments)
    seed = random.randrange(10**6) if given.seed is None else given.seed
    failed = False
    for engine in given.engines:
        print(f"{engine}: {given.operations} operations, seed {seed}", flush=True)
        with TemporaryDirectory() as directory, staged(engine, Path(directory)) as stage:
            findings = run(stage, given.operations, seed)
        print(*summary(findings), sep="\n", flush=True)
        failed |= bool(findings.violations)
    return 1 if failed else 0


def summary(findings: Findings) -> list[str]:
    """The answers by kind, the faults, the first violations with their part of the history, and how many there are."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for (kind, verdict), count in sorted(findings.answers.items()):
        kinds[kind].append(f"{count} {verdict}")
    answers = [f"{kind}: {', '.join(counts)}" for kind, counts in kinds.items()]
    faults = [f"{count} x {name}" for name, count in sorted(findings.faults.items())]
    shown = map(str, findings.violations[:SHOWN])
    return [*answers, *faults, *shown, f"{len(findings.violations)} violations"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

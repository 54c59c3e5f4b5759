"""`python -m fuzz`: hostile requests against gateways in both modes, on both engines; exits with 1 after a failure."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fuzz.campaign import Campaign, Findings
from fuzz.target import SETTINGS


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="in all (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed makes the same requests (default: %(default)s)"
    )
    parser.add_argument(
        "--directory", type=Path, default=Path("var/fuzz"), help="corpus, failures and how far it has come"
    )
    given = parser.parse_args(arguments)
    campaign = Campaign(given.directory, given.seed)
    found = [campaign.run(setting, given.requests // len(SETTINGS)) for setting in SETTINGS]
    print(*summary(found), sep="\n")
    return 1 if any(each.failures for each in found) else 0


def summary(found: Sequence[Findings]) -> list[str]:
    answers: Counter[tuple[str, int]] = sum((each.answers for each in found), Counter())
    kinds = sorted({kind for kind, _ in answers})
    lines = [
        f"{kind}: {', '.join(f'{count} x {status}' for (k, status), count in sorted(answers.items()) if k == kind)}"
        for kind in kinds
    ]
    failures = sum(len(each.failures) for each in found)
    return [*lines, f"{sum(answers.values())} answers, {failures} failures"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

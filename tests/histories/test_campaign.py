"""Random operations against faults: a history of the gateway breaks no rule, and one of a gateway with a bug does."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.histories.__main__ import summary
from tests.histories.campaign import ROUND, run
from tests.histories.stage import Engine, staged

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

REPOSITORY = Path(__file__).parents[2]
SEED = 1
BOUND = 2000
"""Operations within which a planted bug is found."""


def with_bug(name: str, directory: Path) -> Path:
    """The command of a gateway that has a bug."""
    command = directory / "with-bug"
    program = f"{sys.executable} -m tests.histories.planted {name}"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={REPOSITORY} exec {program} "$@"\n')
    command.chmod(0o755)
    return command


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_no_rule_is_broken(engine: Engine, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """20,000 operations of eight clients against two gateways and faults break no rule."""
    with staged(engine, tmp_path) as stage:
        findings = run(stage, ROUND, SEED)
    lines = summary(findings)
    record_property(f"history on {engine}", "; ".join(lines))
    assert findings.violations == [], "\n".join([f"seed {SEED}", *lines])
    done = {kind for (kind, verdict), count in findings.answers.items() if verdict == "DONE" and count > 10}
    assert len(done) == 14
    assert findings.faults.total() >= 10


@pytest.mark.parametrize(
    ("bug", "rule"),
    [
        ("claims_are_overwritten", "an address has one customer"),
        ("callers_are_remembered", "sessions end when told"),
        ("reset_keys_stay", "keys work once"),
    ],
)
def test_a_planted_bug_is_found(bug: str, rule: str, tmp_path: Path) -> None:
    """A gateway with a bug breaks the rule about it within some thousand operations."""
    with staged("sqlite", tmp_path, with_bug(bug, tmp_path)) as stage:
        findings = run(stage, BOUND, SEED)
    found = [each for each in findings.violations if each.rule == rule]
    assert found
    assert all(2 <= len(each.operations) <= 3 for each in found)

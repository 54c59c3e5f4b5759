"""The comparison of two checkouts."""

from pathlib import Path

import pytest

from benchmarks.start import REPOSITORY
from benchmarks.versus import Checkout, Row, SideBySide, in_turns, main, report
from tests.benchmarks.wrk import needs_wrk

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

CPU = Row("CPU of a sign-up", this=[1.0, 3.0, 2.0], other=[1.0, 2.0, 2.0], most="<= 1.04")
KEPT = Row("kept", this=[0.7], other=[0.9], wanted=">= 0.80")


def test_ratios_are_taken_within_a_round() -> None:
    """The target of a ratio counts the median of the rounds, not the ratio of the medians."""
    assert CPU.ratios == [1.0, 1.5, 1.0]
    (target,) = CPU.targets
    assert (target.value, target.is_met) == (1.0, True)


def test_an_absolute_target_is_about_this_checkout() -> None:
    """The other checkout does not count, and a measure can have no target."""
    (target,) = KEPT.targets
    assert (target.value, target.is_met) == (0.7, False)
    assert list(Row("start", [1.0], [1.0]).targets) == []


def test_the_order_changes_from_round_to_round() -> None:
    """Neither checkout is always measured first."""
    order: list[str] = []

    def measure(side: str) -> float:
        order.append(side)
        return float(len(order))

    assert in_turns(["this", "other"], 3, measure) == ([1, 4, 5], [2, 3, 6])
    assert order == ["this", "other", "other", "this", "this", "other"]


def test_the_report_names_revisions_and_targets() -> None:
    """The table holds medians, ratios and the revision of each checkout."""
    here = Checkout(REPOSITORY)
    text = report("A machine", [here, here], [CPU, KEPT])
    assert text.count(here.revision) == 2
    assert "| CPU of a sign-up | 2 " in text
    assert text.count("| met ") == text.count("| NOT MET ") == 1


def test_a_directory_that_is_no_checkout_is_an_error(tmp_path: Path) -> None:
    """The message names the command that is missing there."""
    with pytest.raises(SystemExit, match=str(tmp_path)):
        main([str(tmp_path)])


@needs_wrk
def test_a_checkout_is_compared_with_itself(tmp_path: Path) -> None:
    """Both sides migrate a database, serve it, sign customers up and start again."""
    here = Checkout(REPOSITORY)
    compared = SideBySide([here, here], tmp_path, rounds=1, seconds=1.0)
    graphql, rest = compared.sign_ups("sqlite", "cheapest hash")
    for row in (graphql, rest, compared.starts()):
        assert min(*row.this, *row.other) > 0
        assert len(row.this) == len(row.other) == 1

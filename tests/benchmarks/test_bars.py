"""The bars of the speed issue, judged over numbers that are known."""

from dataclasses import replace

import pytest

from benchmarks.hash_engines import Engines
from benchmarks.start import Start
from benchmarks.targets import Bar, Measured, bars
from registration.hashing.calibration import Costs
from tests.benchmarks.runs import PERFECT, ROW, pressure


def missed(measured: Measured) -> list[str]:
    return [bar.name for bar in bars(measured) if not bar.is_met]


def test_a_perfect_run_meets_every_bar() -> None:
    """And there are bars for everything."""
    assert missed(PERFECT) == []
    assert len(list(bars(PERFECT))) == 23


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"start": Start(1.6, 121.0)}, ["seconds from start to first answer", "resident MiB at rest, one worker"]),
        (
            {"pressure": pressure(kept=0.94, busy_p99=5.1)},
            [
                "registrations kept under ten times the load, if wrk ran elsewhere",
                "p99 of me under full load against idle",
            ],
        ),
        ({"alone": {"sqlite": (1.01, 1.0)}}, ["CPU ms of everything but the hash, sqlite, cheapest profile"]),
    ],
)
def test_what_is_missed_is_named(changes: dict[str, object], names: list[str]) -> None:
    """Each bar looks at its own number."""
    assert missed(replace(PERFECT, **changes)) == names  # type: ignore[arg-type]


def test_hash_share_depends_on_the_build() -> None:
    """0.90 is enough for a build for this host and too little for the portable wheel, whose hash is slower."""
    portable = replace(ROW, kind=replace(ROW.kind, build="portable"))
    assert missed(replace(PERFECT, registrations=[*PERFECT.registrations, portable])) == [
        "hash share of server CPU, graphql, sqlite, portable build"
    ]
    assert missed(replace(PERFECT, registrations=[*PERFECT.registrations, replace(portable, server_ms=9.5)])) == []


def test_rest_is_compared_with_graphql() -> None:
    """Of the same engine, at the concurrency that the bars are about."""
    slow, busy = replace(ROW.kind, door="rest"), replace(ROW.kind, door="rest", concurrency=8)
    rows = [ROW, replace(ROW, kind=slow, server_ms=10.4), replace(ROW, kind=busy, server_ms=20.0)]
    assert missed(replace(PERFECT, registrations=rows)) == ["CPU of REST against GraphQL, sqlite"]


def test_without_the_wheel_there_is_no_comparison() -> None:
    """Where no registry answers."""
    alone = Engines(Costs(19_456, 2), None, None, 100.0, 150.0, "znver3")
    assert not any("kept memory" in bar.name for bar in bars(replace(PERFECT, engines=[alone, alone])))


def test_at_the_bar_is_met() -> None:
    """The issue says at least and at most."""
    assert Bar("a", ">= 0.86", 0.86).is_met
    assert Bar("a", "<= 1.0", 1.0).is_met
    assert not Bar("a", ">= 0.86", 0.859).is_met
    assert not Bar("a", "<= 1.0", 1.01).is_met

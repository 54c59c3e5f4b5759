"""The targets of the speed issue, for known results."""

from dataclasses import replace

import pytest

from benchmarks.hash_engines import Engines
from benchmarks.mails import Backlog
from benchmarks.sign_ins import SignInLimits
from benchmarks.sign_up_limit import LimitCost
from benchmarks.start import Start
from benchmarks.targets import Measured, Target, targets
from registration.hashing.calibration import Costs
from tests.benchmarks.runs import PERFECT, ROW, pressure


def missed(measured: Measured) -> list[str]:
    return [target.name for target in targets(measured) if not target.is_met]


def test_a_perfect_run_meets_every_target() -> None:
    """Results that meet every target miss none, and no target is left out."""
    assert missed(PERFECT) == []
    assert len(list(targets(PERFECT))) == 55


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"start": Start(1.6, 121.0)}, ["seconds from start to first answer", "resident MiB at rest, one worker"]),
        (
            {"pressure": pressure(kept=0.79, busy_p99=3.1)},
            [
                "registrations kept under ten times the load, wrk on the same cores",
                "p99 of me under full load against idle",
            ],
        ),
        (
            {"limit_costs": [LimitCost("sqlite", 0.9, 0.7, 0.021), LimitCost("postgresql", 0.9, 0.7, 0.02)]},
            ["fall of the hash share with GATEWAY_SIGN_UP_LIMIT, sqlite"],
        ),
        (
            {"reads": [PERFECT.reads[0], replace(PERFECT.reads[1], rate=2400.0)]},
            ["me with a token against the bare Starlette route, one core"],
        ),
        (
            {"sign_ins": [replace(each, server_ms=10.1) for each in PERFECT.sign_ins]},
            ["hash share of server CPU, sign-ins, sqlite"],
        ),
        (
            {"sign_in_limits": SignInLimits(74.0, 5.1)},
            [
                "sign-ins a second and processor, 7 MiB and 5 passes",
                "seconds of the longest answer in ten times as many sign-ins",
            ],
        ),
        (
            {"with_mails": [replace(PERFECT.with_mails[2], server_ms=10.3, waits=(0.5, 1.1))]},
            [
                "hash share of CPU, registrations with their mails, SMTP, graphql, sqlite",
                "seconds until a mail has arrived, p99, SMTP, graphql, sqlite",
            ],
        ),
        (
            {"backlogs": [Backlog("sqlite", 59.0, 199.0, 0.94)]},
            [
                "mails/s at 100 ms a mail, as it comes, sqlite",
                "mails/s at 100 ms a mail, 32 connections, sqlite",
                "mails at 100 ms a mail against registrations, sqlite",
            ],
        ),
        (
            {"breakdown": {"sqlite": replace(PERFECT.breakdown["sqlite"], budgets=0.051)}},
            ["CPU ms of the budgets of a sign-up, sqlite"],
        ),
        ({"metrics_ms": 0.051}, ["CPU ms of the metrics of a sign-up"]),
        ({"without_hash": {"sqlite": (1.01, 1.0)}}, ["CPU ms of everything but the hash, sqlite, cheapest profile"]),
    ],
)
def test_a_missed_target_is_named(changes: dict[str, object], names: list[str]) -> None:
    """A bad result misses its own target and no other."""
    assert missed(replace(PERFECT, **changes)) == names  # type: ignore[arg-type]


def test_hash_share_depends_on_the_build() -> None:
    """A share of 0.90 is enough for a build for the host and too small for the portable wheel, whose hash is slower."""
    portable = replace(ROW, kind=replace(ROW.kind, build="portable"))
    assert missed(replace(PERFECT, registrations=[*PERFECT.registrations, portable])) == [
        "hash share of server CPU, graphql, sqlite, portable build"
    ]
    assert missed(replace(PERFECT, registrations=[*PERFECT.registrations, replace(portable, server_ms=9.5)])) == []


def test_rest_is_compared_with_graphql() -> None:
    """REST is compared with GraphQL on the same engine and only at the concurrency that has a target."""
    slow, busy = replace(ROW.kind, door="rest"), replace(ROW.kind, door="rest", concurrency=8)
    rows = [ROW, replace(ROW, kind=slow, server_ms=10.4), replace(ROW, kind=busy, server_ms=20.0)]
    assert missed(replace(PERFECT, registrations=rows)) == ["CPU of REST against GraphQL, sqlite"]


def test_without_the_wheel_there_is_no_comparison() -> None:
    """Without a result for the wheel there is no target for the kept memory."""
    alone = Engines(Costs(19_456, 2), None, None, 100.0, 150.0, "znver3")
    assert not any("kept memory" in target.name for target in targets(replace(PERFECT, engines=[alone, alone])))


def test_a_result_equal_to_the_target_meets_it() -> None:
    """`>=` and `<=` include the number itself."""
    assert Target("a", ">= 0.86", 0.86).is_met
    assert Target("a", "<= 1.0", 1.0).is_met
    assert not Target("a", ">= 0.86", 0.859).is_met
    assert not Target("a", "<= 1.0", 1.01).is_met

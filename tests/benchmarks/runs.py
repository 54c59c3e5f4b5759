"""Results that are easy to check by hand; nothing was measured."""

from dataclasses import replace

from benchmarks.growth import Growth
from benchmarks.hash_engines import Engines
from benchmarks.mails import WAYS, Backlog, WithMails
from benchmarks.overhead import Breakdown
from benchmarks.pressure import Pressure, Round, Stretch
from benchmarks.reads import Read
from benchmarks.registrations import DOORS, Kind, Registrations
from benchmarks.sign_ins import SignInLimits, SignIns
from benchmarks.sign_up_limit import LimitCost
from benchmarks.start import Start
from benchmarks.targets import Measured
from harness.store import ENGINES
from registration.hashing.calibration import Costs

ROW = Registrations(
    kind=Kind(engine="sqlite", door="graphql", build="host", workers=1, concurrency=32),
    rate=90.0,
    bare_rate=100.0,
    hash_ms=9.0,
    server_ms=10.0,
    database_ms=0.0,
    generator_ms=0.1,
    p50=1.0,
    p95=2.0,
    p99=3.0,
    memory=100.0,
)


def pressure(*, kept: float, busy_p99: float) -> Pressure:
    """Three rounds on a machine whose speed changes between them."""
    speeds = (50.0, 100.0, 200.0)
    return Pressure(
        rounds=[Round(Stretch(speed * kept, 1.9, 0.0), Stretch(speed, 1.9, 0.0)) for speed in speeds],
        offered=1000.0,
        refused=900.0,
        idle_p99=1.0,
        full_p99=busy_p99,
        flood_p99=99.0,
    )


PERFECT = Measured(
    engines=[
        Engines(Costs(19_456, 2), 50.0, 55.0, 100.0, 150.0, "znver3"),
        Engines(Costs(47_104, 1), 20.0, 40.0, 30.0, 100.0, "znver3"),
    ],
    registrations=[
        replace(ROW, kind=Kind(engine, door, "host", 1, concurrency))
        for engine in ENGINES
        for concurrency in (8, 32)
        for door in DOORS
    ],
    mail_ms={"sqlite": 1.0, "postgresql": 1.0},
    without_hash={"sqlite": (0.9, 1000.0), "postgresql": (0.9, 1000.0)},
    breakdown={engine: Breakdown(0.3, 0.1, 0.05, 0.3, 0.05, budgets=0.04) for engine in ENGINES},
    reads=[Read("{ __typename }", 5000.0, 10_000.0, 1.0), Read("me", 3000.0, 10_000.0, 1.0)],
    limit_costs=[LimitCost(engine, 0.90, 0.89, 0.01) for engine in ENGINES],
    growth=[
        Growth(engine, size, 10.0 + size / 1e6, 11.0 + size / 1e6, 1.0)
        for engine in ("sqlite", "postgresql")
        for size in (1_000, 100_000, 1_000_000)
    ],
    start=Start(1.2, 79.0),
    pressure=pressure(kept=0.81, busy_p99=2.9),
    metrics_ms=0.03,
    sign_ins=[SignIns(engine, 100.0, 9.0, 9.9, 0.5, 20.0) for engine in ENGINES],
    sign_in_limits=SignInLimits(80.0, 4.5),
    with_mails=[
        WithMails(engine, door, way, 90.0, 100.0, 9.0, 10.0, 0.5, (0.2, 0.5) if "SMTP" in way else None, 9.5)
        for engine in ENGINES
        for door in DOORS
        for way in WAYS
    ],
    backlogs=[Backlog(engine, 70.0, 250.0, 0.98) for engine in ENGINES],
)

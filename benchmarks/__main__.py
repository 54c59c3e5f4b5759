"""`python -m benchmarks`: measure everything, print it beside the targets, and keep it in benchmarks/results/."""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import (
    growth,
    hash_engines,
    mails,
    metrics,
    overhead,
    pressure,
    reads,
    registrations,
    sign_ins,
    sign_up_limit,
    start,
)
from benchmarks.bare_hash import CHEAPEST
from benchmarks.load import LoadError, require_wrk
from benchmarks.picture import draw
from benchmarks.relay import drain
from benchmarks.report import report
from benchmarks.run_record import describe_machine, results_directory, timed
from benchmarks.targets import CONCURRENCY, Measured, targets
from harness.production import gateway
from harness.store import ENGINES, Engine, Store, store


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: loads of so many `seconds`, each `rounds` times because machines are unsteady.

    Registrations that have a target are loaded `judged_rounds` times: other machines on the same host move the result
    of one round by ten per cent.
    """

    seconds: float
    rounds: int
    judged_rounds: int
    limit_rounds: int
    workers: tuple[int, ...]
    concurrencies: tuple[int, ...]
    sizes: tuple[int, ...]
    starts: int
    floods: int
    drained: int


FULL = Plan(
    seconds=3,
    rounds=3,
    judged_rounds=9,
    limit_rounds=5,
    workers=(1, 2),
    concurrencies=(8, 32, 128),
    sizes=(1_000, 100_000, 1_000_000),
    starts=5,
    floods=31,
    drained=10_000,
)
QUICK = Plan(
    seconds=3,
    rounds=1,
    judged_rounds=3,
    limit_rounds=2,
    workers=(1,),
    concurrencies=(32,),
    sizes=(1_000, 20_000),
    starts=1,
    floods=5,
    drained=500,
)


def main() -> int:
    arguments = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="eight minutes instead of forty, and less exact")
    plan = QUICK if arguments.parse_args().quick else FULL
    # On a disk, as a database would be: /tmp can be memory.
    place = Path("var")
    place.mkdir(exist_ok=True)
    try:
        require_wrk()
        with tempfile.TemporaryDirectory(prefix="bench-", dir=place) as directory:
            machine = describe_machine()
            measured = measure(Path(directory).resolve(), plan)
    except LoadError as error:
        print(f"make bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    keep(machine, measured, "quick" if plan is QUICK else "full")
    return 0


def measure(directory: Path, plan: Plan) -> Measured:
    with timed("hash engines"):
        wheel = hash_engines.portable_wheel(directory)
        engines = hash_engines.measure(wheel, plan.seconds / 6)
    load = partial(registrations.measure, directory, seconds=plan.seconds)
    judged = {CONCURRENCY: plan.judged_rounds}
    rows: list[registrations.Registrations] = []
    grown: list[growth.Growth] = []
    limit_costs: list[sign_up_limit.LimitCost] = []
    mail_ms: dict[Engine, float] = {}
    without_hash: dict[Engine, tuple[float, float]] = {}
    breakdown: dict[Engine, overhead.Breakdown] = {}
    signed_in: list[sign_ins.SignIns] = []
    with_mails: list[mails.WithMails] = []
    backlogs: list[mails.Backlog] = []
    for engine in ENGINES:
        for workers in plan.workers:
            with timed(f"registrations, {engine}, {workers} workers"), store(engine, directory) as empty:
                rounds = dict.fromkeys(plan.concurrencies, plan.rounds) | (judged if workers == 1 else {})
                rows += load(empty, engine=engine, workers=workers, rounds=rounds)
                mail_ms[engine] = drain(directory, empty)
        if wheel:
            with timed(f"registrations, {engine}, portable build"), store(engine, directory) as empty:
                rows += load(empty, engine=engine, workers=1, rounds=judged, wheel=wheel)
        with timed(f"everything but the hash, {engine}"), store(engine, directory) as empty:
            breakdown[engine] = overhead.measure(empty)
            without_hash[engine] = load_without_hash(directory, empty, plan)
        with timed(f"sign-up limit, {engine}"):
            limit_costs.append(sign_up_limit.measure(directory, engine, plan.seconds, plan.limit_rounds))
        with timed(f"sign-ins, {engine}"), store(engine, directory) as empty:
            signed_in.append(sign_ins.measure(directory, empty, engine, plan.seconds, plan.judged_rounds))
        with timed(f"mails, {engine}"):
            with_mails += mails.measure(directory, engine, plan.seconds, plan.rounds)
            backlogs.append(mails.of_a_slow_server(directory, engine, plan.drained, 3 * plan.seconds))
        with timed(f"growth, {engine}"):
            grown += growth.measure(directory, engine, plan.sizes, growth.Loads(plan.seconds, plan.rounds), growth.fill)
    with store("sqlite", directory) as empty:
        with timed("reads"):
            reading = list(reads.measure(directory, empty, plan.seconds, plan.rounds))
        with timed("limits of sign-ins"):
            sign_in_limits = sign_ins.limits(directory, empty, plan.seconds)
        with timed("starts"):
            started = start.measure(directory, empty, plan.starts)
        with timed("ten times the load"):
            pressed = pressure.measure(directory, empty, plan.floods)
    with timed("metrics"):
        metrics_ms = metrics.measure()
    return Measured(
        engines=engines,
        registrations=rows,
        mail_ms=mail_ms,
        without_hash=without_hash,
        breakdown=breakdown,
        reads=reading,
        limit_costs=limit_costs,
        growth=grown,
        start=started,
        pressure=pressed,
        metrics_ms=metrics_ms,
        sign_ins=signed_in,
        sign_in_limits=sign_in_limits,
        with_mails=with_mails,
        backlogs=backlogs,
    )


def load_without_hash(directory: Path, empty: Store, plan: Plan) -> tuple[float, float]:
    """Medians with the cheapest hash: CPU milliseconds of the server for a registration, and registrations a second."""
    with gateway(directory, empty, CHEAPEST) as running:
        registrations.one_load(running, empty, "graphql", 8, 1.0)
        seen = [registrations.one_load(running, empty, "graphql", 32, plan.seconds) for _ in range(plan.rounds)]
    return median(each.server_ms for each in seen), median(each.load.rate for each in seen)


def keep(machine: str, measured: Measured, kind: str) -> None:
    """Print the report; write it as text, as a picture and as JSON."""
    judged = list(targets(measured))
    text = report(machine, measured, judged)
    directory = results_directory(machine, kind)
    (directory / "report.md").write_text(text)
    (directory / "results.json").write_text(json.dumps({"machine": machine, **asdict(measured)}, indent=1) + "\n")
    draw(directory / "registrations.png", machine, measured.registrations)
    print(text)
    missed = sum(not target.is_met for target in judged)
    print(f"{len(judged) - missed} targets met, {missed} not met. Kept in {directory}.")


if __name__ == "__main__":
    sys.exit(main())

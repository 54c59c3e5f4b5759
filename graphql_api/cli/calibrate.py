"""The command calibrate: measures how fast this machine hashes, and proposes settings."""

import time
from typing import Annotated

import typer

from graphql_api.cli.installation import settings_of_process
from graphql_api.cli.terminal import one_line_errors


@one_line_errors
def calibrate(
    milliseconds: Annotated[int, typer.Option(help="how long one hash may take", min=1)] = 250,
    memory_mib: Annotated[int, typer.Option(help="memory of one hash in the proposal", min=1, max=4096)] = 64,
    seconds: Annotated[float, typer.Option(help="how long to measure each time", min=0)] = 2.0,
) -> None:
    """Measure how fast this machine hashes, and propose GATEWAY_HASH_ settings."""
    from graphql_api.cli import calibration_report as report  # noqa: PLC0415 - the other commands hash nothing
    from registration.hashing.calibration import Costs, Speed, measure, propose  # noqa: PLC0415

    settings = settings_of_process()
    costs = Costs(settings.hash_memory_kib, settings.hash_time_cost, settings.hash_parallelism)
    slots = settings.slots * settings.workers
    wish = milliseconds / 1000

    def speed(wanted: Costs, threads: int) -> Speed:
        return measure(wanted, threads, seconds, time.perf_counter)

    _print(report.about_settings(costs, settings.workers, settings.slots))
    shortages = report.about_shortage(slots, (costs.memory_kib, memory_mib * 1024))
    if shortages:
        _print(shortages)
        return
    one, all_slots = speed(costs, 1), speed(costs, slots)
    _print(report.about_speed(costs, slots, one, all_slots))
    proposal = propose(memory_mib * 1024, wish, lambda wanted: speed(wanted, slots).seconds)
    _print(report.about_proposal(proposal, slots, wish))


def _print(lines: list[str]) -> None:
    """At once: a measurement that follows takes seconds."""
    print("\n".join(lines), flush=True)

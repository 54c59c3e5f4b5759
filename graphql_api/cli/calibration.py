"""What `registration-gateway calibrate` says about the hash settings of this machine; it measures nothing itself."""

import time
from collections.abc import Iterator

from graphql_api.settings import GatewaySettings
from registration.hashing.argon2id import built_for
from registration.hashing.calibration import Costs, Speed, measure, propose
from registration.hashing.machine import cores, memory_bytes

MIB = 1024 * 1024
OWASP = Costs(19_456, 2)


def report(settings: GatewaySettings, wish: float, memory_kib: int, seconds: float) -> Iterator[str]:
    """Lines for an operator, each as soon as it is known; `seconds` for each measurement."""
    costs = Costs(settings.hash_memory_kib, settings.hash_time_cost, settings.hash_parallelism)
    slots = settings.slots * settings.workers

    def speed(wanted: Costs, threads: int) -> Speed:
        return measure(wanted, threads, seconds, time.perf_counter)

    yield build_in_words(built_for())
    yield f"Settings    {_named(costs)}; {settings.workers} x {settings.slots} slots"
    if slots > cores():
        yield f"Warning: {slots} slots on {cores()} cores hash more slowly than {cores()} would."
    if costs.is_weak:
        yield f"Warning: this is weaker than OWASP's minimum ({_named(OWASP)})."
    for needed in (costs.memory_kib, memory_kib):
        if shortage := _shortage(slots, needed, memory_bytes()):
            yield shortage
            return
    one, full = speed(costs, 1), speed(costs, slots)
    yield memory_in_words(full, slots, costs)
    yield f"One slot    {one.rate:.1f} hashes/s, {one.seconds * 1000:.1f} ms each"
    yield f"All slots   {full.rate:.1f} hashes/s, {full.seconds * 1000:.1f} ms each with all {slots} at work"
    proposal = propose(memory_kib, wish, lambda wanted: speed(wanted, slots).seconds)
    yield f"Proposal    {_variables(proposal)}"
    yield f"            for {wish * 1000:.0f} ms a hash, which is {slots / wish:.1f} hashes/s"
    if proposal.is_weak:
        yield f"Warning: the proposal is weaker than OWASP's minimum ({_named(OWASP)})."


def _shortage(slots: int, memory_kib: int, memory: int | None) -> str | None:
    """A warning when all slots together need more than there is; `memory` in bytes."""
    needed = slots * memory_kib * 1024
    if memory is None or needed <= memory:
        return None
    return (
        f"Warning: {slots} slots with {memory_kib // 1024} MiB each need {needed // MIB} MiB, and there are"
        f" {memory // MIB} MiB: take less memory for a hash, or fewer slots. Nothing was measured."
    )


def build_in_words(march: str | None) -> str:
    if march:
        return f"Build       for this host's processors (-march={march})"
    return "Build       the portable wheel; one for this host is about 3 times faster: make native, or docs/speed.md"


def memory_in_words(speed: Speed, slots: int, costs: Costs) -> str:
    if not speed.keeps_memory:
        return "Memory      allocated for every hash, because this system forbids callbacks (MemoryDenyWriteExecute)"
    kept = f"{slots} x {costs.memory_kib / 1024:.1f} MiB kept"
    return f"Memory      {kept}, {speed.huge_bytes // MIB} MiB in huge pages"


def _named(costs: Costs) -> str:
    return f"{costs.memory_kib} KiB, {costs.time_cost} passes, {costs.parallelism} lanes"


def _variables(costs: Costs) -> str:
    values = {"MEMORY_KIB": costs.memory_kib, "TIME_COST": costs.time_cost, "PARALLELISM": costs.parallelism}
    return " ".join(f"GATEWAY_HASH_{name}={value}" for name, value in values.items())

"""The lines that `registration-gateway calibrate` prints. They are made of measurements, and measure nothing."""

from collections.abc import Iterable

from registration.hashing.argon2id import built_for
from registration.hashing.calibration import Costs, Speed
from registration.hashing.machine import cores, memory_bytes

MIB = 1024 * 1024
OWASP = Costs(19_456, 2)


def about_settings(costs: Costs, workers: int, slots: int) -> list[str]:
    """The build and the settings, with a warning for too many slots and for weak costs; `slots` are of one worker."""
    lines = [build_in_words(built_for()), f"Settings    {_named(costs)}; {workers} x {slots} slots"]
    if workers * slots > cores():
        lines.append(f"Warning: {workers * slots} slots on {cores()} cores hash more slowly than {cores()} would.")
    if costs.is_weak:
        lines.append(f"Warning: this is weaker than OWASP's minimum ({_named(OWASP)}).")
    return lines


def about_shortage(slots: int, memory_kib: Iterable[int]) -> list[str]:
    """A warning for the first of the sizes that does not fit into this machine's memory in all slots together."""
    memory = memory_bytes()
    for size in memory_kib:
        needed = slots * size * 1024
        if memory is not None and needed > memory:
            return [
                f"Warning: {slots} slots with {size // 1024} MiB each need {needed // MIB} MiB, and there are"
                f" {memory // MIB} MiB: take less memory for a hash, or fewer slots. Nothing was measured."
            ]
    return []


def about_speed(costs: Costs, slots: int, one: Speed, all_slots: Speed) -> list[str]:
    """What was measured with one slot, and with all slots at once."""
    return [
        memory_in_words(all_slots, slots, costs),
        f"One slot    {one.rate:.1f} hashes/s, {one.seconds * 1000:.1f} ms each",
        f"All slots   {all_slots.rate:.1f} hashes/s, {all_slots.seconds * 1000:.1f} ms each with all {slots} at work",
    ]


def about_proposal(proposal: Costs, slots: int, wish: float) -> list[str]:
    """The proposed settings for hashes of `wish` seconds, with a warning where that leaves them weak."""
    lines = [
        f"Proposal    {_variables(proposal)}",
        f"            for {wish * 1000:.0f} ms a hash, which is {slots / wish:.1f} hashes/s",
    ]
    if proposal.is_weak:
        lines.append(f"Warning: the proposal is weaker than OWASP's minimum ({_named(OWASP)}).")
    return lines


def build_in_words(march: str | None) -> str:
    """`march` is the processor that Argon2 is built for; None for the portable wheel."""
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

"""The speed of a hash on this machine, against the time that was wished."""

from registration.diagnosis.finding import Finding, good, worse
from registration.hashing.argon2id import built_for
from registration.hashing.calibration import Clock, Costs, measure
from registration.settings import Settings

SECONDS = 0.5


def look_at_hashing(settings: Settings, wish: float, clock: Clock) -> Finding:
    """`wish` is how many seconds a hash may take with all slots at work."""
    costs = Costs(settings.hash_memory_kib, settings.hash_time_cost, settings.hash_parallelism)
    slots = settings.slots * settings.workers
    speed = measure(costs, slots, SECONDS, clock)
    build = f"-march={built_for()}" if built_for() else "the portable build"
    seen = f"{speed.seconds * 1000:.0f} ms with {slots} slots at work, {speed.rate:.0f} hashes/s, {build}"
    if costs.is_weak:
        return worse("hashing", f"{seen}; weaker than OWASP's minimum", "run: registration-gateway calibrate")
    if speed.seconds > wish:
        mend = (
            "lower GATEWAY_HASH_MEMORY_KIB as registration-gateway calibrate proposes, or build Argon2 for this machine"
        )
        return worse("hashing", f"{seen}; {wish * 1000:.0f} ms were wished", mend)
    return good("hashing", seen)

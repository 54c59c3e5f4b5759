"""The promtool of this machine, which comes with Debian's package of Prometheus."""

import subprocess

from tests.programs import program


def promtool(*arguments: str, given: str = "") -> str:
    """What promtool prints; fails when it finds a fault. Without one: see `program`."""
    path = program("promtool", package="prometheus", variable="REQUIRE_PROMTOOL", untested="RULES NOT LOADED")
    done = subprocess.run([path, *arguments], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

"""The promtool of this machine, which comes with Debian's package of Prometheus."""

import os
import shutil
import subprocess

import pytest


def promtool(*arguments: str, given: str = "") -> str:
    """What promtool prints; fails when it finds a fault. Without one the test is skipped, or fails in CI."""
    program = shutil.which("promtool")
    if program is None and ("CI" in os.environ or "REQUIRE_PROMTOOL" in os.environ):
        pytest.fail("promtool is required here (CI or REQUIRE_PROMTOOL is set), but is not installed")
    if program is None:
        pytest.skip("RULES NOT LOADED: there is no promtool (Debian: apt-get install prometheus)")
    done = subprocess.run([program, *arguments], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

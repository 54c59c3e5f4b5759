"""The flood of the benchmark, short, against the real gateway."""

from pathlib import Path

import pytest

from benchmarks import pressure
from harness.store import store
from tests.benchmarks.wrk import needs_wrk

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]


@needs_wrk
def test_a_flood_comes_and_goes(tmp_path: Path) -> None:
    """Most requests of the flood are refused without another error; customers are registered during and after it."""
    with store("sqlite", tmp_path) as empty:
        seen = pressure.measure(tmp_path, empty, 2, seconds=1.0)
        assert empty.customers() > 0
    assert len(seen.rounds) == 2
    assert seen.offered > seen.refused > seen.flood.rate
    assert seen.calm.rate > 0
    assert seen.kept > 0
    assert min(seen.idle_p99, seen.full_p99, seen.flood_p99) > 0

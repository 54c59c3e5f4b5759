"""The cost of the sign-up limit, measured for a moment with real gateways."""

from pathlib import Path

import pytest

from benchmarks import sign_up_limit
from tests.benchmarks.wrk import needs_wrk

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]


@needs_wrk
def test_the_limit_is_measured_beside_no_limit(tmp_path: Path) -> None:
    """No sign-up is refused under the high limit, and the fall is the difference of the two shares."""
    found = sign_up_limit.measure(tmp_path, "sqlite", 1.0, 1)
    assert found.share_without > 0
    assert found.share_with > 0
    assert found.fall == found.share_without - found.share_with

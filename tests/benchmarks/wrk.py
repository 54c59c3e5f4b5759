"""The mark that skips a test where wrk is missing; .ci/run installs wrk."""

import shutil

import pytest

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed; only make bench needs it")

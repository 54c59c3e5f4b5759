"""Where wrk is missing, whatever needs it is skipped; .ci/run installs it."""

import shutil

import pytest

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed; only make bench needs it")

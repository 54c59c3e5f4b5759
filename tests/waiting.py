"""Waiting for what happens by itself; it never says how long that may take, only when something is wrong."""

import time
from collections.abc import Callable

PATIENCE = 60  # seconds


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)

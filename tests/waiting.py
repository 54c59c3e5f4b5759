"""Waits for what other threads and processes do. Each has a bound, which is reached only when something is wrong."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

PATIENCE = 60  # seconds
GRACE = 5  # seconds between two interruptions of a test that does not end


def eventually(condition: Callable[[], object]) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {PATIENCE} seconds"
        time.sleep(0.02)


def wait_for(event: Event) -> None:
    """Return when the event is set."""
    assert event.wait(PATIENCE), f"it did not happen within {PATIENCE} seconds"


class HangsError(BaseException):
    """No Exception, so that neither the code under test nor Hypothesis, which would try again, catches it."""


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Raise HangsError in the main thread, wherever it waits, and again where it waits on the way out.

    Other threads are not interrupted: what they wait for needs a bound of its own.
    """

    def interrupt(*_: object) -> None:
        raise HangsError(f"not done after {seconds:g} seconds")

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, GRACE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)

"""The moment by which a request is answered: no wait for the database lasts longer.

A context variable, so that it need not stand in every signature; threads that work for a request run in a copy of its
context.
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from math import inf

_DEADLINE: ContextVar[float] = ContextVar("deadline", default=inf)


def begin(seconds: float) -> None:
    """Let everything that the current task waits for from now on end in so many seconds."""
    _DEADLINE.set(time.monotonic() + seconds)


def current() -> float:
    """The deadline, by the clock of time.monotonic; infinite where there is none."""
    return _DEADLINE.get()


@contextmanager
def until(moment: float) -> Iterator[None]:
    """Let what the block waits for end at this moment, or at an earlier deadline that is set already."""
    token = _DEADLINE.set(min(_DEADLINE.get(), moment))
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def within(seconds: float) -> AbstractContextManager[None]:
    """As `until`, in so many seconds."""
    return until(time.monotonic() + seconds)


def remaining() -> float:
    """Seconds until the deadline, negative when it has passed; infinite where there is none."""
    return _DEADLINE.get() - time.monotonic()

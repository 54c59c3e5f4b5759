"""Throttles log lines: a flood of requests causes one line every few seconds, not one for each request."""

from collections.abc import Callable
from math import inf


class Throttle:
    """Lets one event in `seconds` through. `clock` counts seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._closed_until = -inf
        self._number = 0

    def count(self) -> int:
        """Count an event: the number of those since the last that was let through, or 0 for one that is held back."""
        self._number += 1
        if (now := self._clock()) < self._closed_until:
            return 0
        self._closed_until = now + self._seconds
        number, self._number = self._number, 0
        return number

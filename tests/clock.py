"""A clock for tests."""

from datetime import UTC, date, datetime, timedelta

TODAY = date(2026, 11, 23)
"""The day on which the clock begins."""


class Clock:
    """A time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 13, 36, 29, 123456, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, by: timedelta) -> None:
        self.now += by

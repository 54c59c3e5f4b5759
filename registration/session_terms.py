"""The terms of sessions: how long tokens live, and how many wrong passwords are too many; it never applies them."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """`grace` is how long a used refresh token still gets a pair; the last three are those of the lock-out."""

    audience: str = "frontend"
    access_token: timedelta = timedelta(hours=8)
    refresh_token: timedelta = timedelta(seconds=2_628_000)
    grace: timedelta = timedelta(seconds=10)
    failures: int = 9
    window: timedelta = timedelta(seconds=900)
    block: timedelta = timedelta(seconds=360)

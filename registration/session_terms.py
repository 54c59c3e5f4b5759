"""The terms of sessions: how long tokens live, and whom they are for; it never applies them."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """`grace` is how long a used refresh token still gets a pair."""

    audience: str = "frontend"
    access_token: timedelta = timedelta(hours=8)
    refresh_token: timedelta = timedelta(seconds=2_628_000)
    grace: timedelta = timedelta(seconds=10)

"""How long a mail waits after an attempt that did not send it, and when it is given up (decision 0034)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from registration.mail.transport import AboutUs, Broken, Deferred, Unknown

Failure = Deferred | AboutUs | Broken | Unknown


@dataclass(frozen=True, slots=True)
class Patience:
    """A wait in seconds is drawn up to a limit, which grows from `first` to `longest` while the mail fails.

    `least` is the share of the limit that is waited at least. The limit is `growth` times the time since the first
    failure.
    """

    first: float
    longest: float
    growth: float
    least: float
    give_up: timedelta | None


# From nothing on, so that mails do not come back all at once.
DEFERRED = Patience(first=20, longest=3600, growth=2, least=0, give_up=timedelta(days=3))
BROKEN = Patience(first=20, longest=3600, growth=2, least=0, give_up=timedelta(days=7))
# Each further try may be a further copy, so there are few of them, further and further apart.
UNKNOWN = Patience(first=600, longest=86_400, growth=4, least=0.5, give_up=timedelta(days=7))
# Soon after an operator has mended it, all mails go.
ABOUT_US = Patience(first=300, longest=300, growth=0, least=0, give_up=None)


PATIENCE: dict[type[Failure], Patience] = {Deferred: DEFERRED, Broken: BROKEN, Unknown: UNKNOWN, AboutUs: ABOUT_US}


def patience_with(failure: Failure) -> Patience:
    return PATIENCE[type(failure)]


def wait_after(patience: Patience, failing_since: datetime, now: datetime, random: Random) -> timedelta | None:
    """How long to wait before the next attempt; None when the mail is given up."""
    age = now - failing_since
    if patience.give_up and age >= patience.give_up:
        return None
    limit = min(patience.longest, max(patience.first, patience.growth * age.total_seconds()))
    return timedelta(seconds=random.uniform(patience.least * limit, limit))

"""The settlement of mails: what each outcome makes of a mail (decision 0034), written for many mails at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from random import Random
from typing import TypeAlias, assert_never

import structlog
from sqlalchemy import Connection

from registration import metrics
from registration.mail import outbox
from registration.mail.composition import Dropped
from registration.mail.outbox import Job, Settled
from registration.mail.transport import AboutUs, Broken, Deferred, Outcome, Refused, Sent, Unknown

log = structlog.get_logger(__name__)

Failure = Deferred | AboutUs | Broken | Unknown


@dataclass(frozen=True, slots=True)
class Patience:
    """A wait in seconds is drawn up to a limit, which grows from `first` to `longest` while the mail fails.

    `least` is the share of the limit that is waited at least. The limit is `growth` times the time since the first
    failure, or since the mail was enqueued where the cause is ours.
    """

    first: float
    longest: float
    growth: float
    least: float
    give_up: timedelta | None


# Waits are drawn from 0 on, so that retries spread out.
DEFERRED = Patience(first=20, longest=3600, growth=2, least=0, give_up=timedelta(days=3))
BROKEN = Patience(first=20, longest=3600, growth=2, least=0, give_up=timedelta(days=7))
# Each retry may deliver a copy, so retries are few and their intervals grow.
UNKNOWN = Patience(first=600, longest=86_400, growth=4, least=0.5, give_up=timedelta(days=7))
# Retried every five minutes without end, so mails leave soon after an operator has mended the cause.
ABOUT_US = Patience(first=300, longest=300, growth=0, least=0, give_up=None)
# Many such mails must not come due as fast as others leave: each may make its server rest.
ABOUT_US_WITH_THIS_MAIL = Patience(first=300, longest=3600, growth=1, least=0, give_up=None)


PATIENCE: dict[type[Failure], Patience] = {Deferred: DEFERRED, Broken: BROKEN, Unknown: UNKNOWN, AboutUs: ABOUT_US}


def patience_with(failure: Failure) -> Patience:
    if isinstance(failure, AboutUs) and not failure.is_for_all:
        return ABOUT_US_WITH_THIS_MAIL
    return PATIENCE[type(failure)]


def wait_after(patience: Patience, failing_since: datetime, now: datetime, random: Random) -> timedelta | None:
    """How long to wait before the next attempt; None when the mail is given up."""
    age = now - failing_since
    if patience.give_up and age >= patience.give_up:
        return None
    limit = min(patience.longest, max(patience.first, patience.growth * age.total_seconds()))
    return timedelta(seconds=random.uniform(patience.least * limit, limit))


@dataclass(frozen=True, slots=True)
class Closed:
    """The mail is not tried again."""

    status: Settled
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Postponed:
    """The mail is tried again at `due_at`; `failing_since` is as in a job."""

    due_at: datetime
    reason: str
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The mail was not tried: it is due, as if it had not been claimed."""


Verdict: TypeAlias = Closed | Postponed | GivenBack


def verdict_on(job: Job, outcome: Outcome | Dropped | GivenBack, now: datetime, random: Random) -> Verdict:
    match outcome:
        case Sent():
            return Closed("sent")
        case Dropped(reason):
            return Closed("dropped", reason)
        case Refused(reason):
            return Closed("parked", reason)
        case GivenBack():
            return outcome
        case Deferred() | AboutUs() | Broken() | Unknown():
            return _postponed(job, outcome, now, random)
        case _:
            assert_never(outcome)


def _postponed(job: Job, failure: Failure, now: datetime, random: Random) -> Verdict:
    patience = patience_with(failure)
    is_ours = isinstance(failure, AboutUs)
    since = None if is_ours else job.failing_since or now
    reason = f"ours to mend: {failure.reason}" if is_ours else failure.reason
    wait = wait_after(patience, since or job.created_at, now, random)
    if wait is None:
        days = patience.give_up.days if patience.give_up else 0
        return Closed("parked", f"given up after {days} days: {reason}")
    return Postponed(now + wait, reason, since)


def write(connection: Connection, verdicts: Sequence[tuple[Job, Verdict]], now: datetime) -> None:
    """Write the verdicts, with one statement for all mails that have the same one."""
    for verdict, pairs in groupby(sorted(verdicts, key=_by_verdict), lambda pair: pair[1]):
        jobs = [job for job, _ in pairs]
        match verdict:
            case Closed(status, reason):
                outbox.settle(connection, jobs, status, now, reason)
            case Postponed(due_at, reason, failing_since):
                outbox.postpone(connection, jobs, due_at, reason, failing_since)
            case GivenBack():
                outbox.give_back(connection, jobs, now)
            case _:
                assert_never(verdict)


def _by_verdict(pair: tuple[Job, Verdict]) -> str:
    return repr(pair[1])


def report(verdicts: Sequence[tuple[Job, Verdict]]) -> None:
    """Count and log each verdict, the mail by its id."""
    for job, verdict in verdicts:
        facts = {"mail": str(job.id), "kind": job.kind, "attempts": job.attempts}
        match verdict:
            case Closed(status, reason):
                metrics.MAILS.labels(status).inc()
                log.info("mail settled", status=status, reason=reason, **facts)
            case Postponed(reason=reason):
                metrics.MAILS.labels("waits").inc()
                log.info("mail waits", reason=reason, **facts)
            case GivenBack():
                pass
            case _:
                assert_never(verdict)

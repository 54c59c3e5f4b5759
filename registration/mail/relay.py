"""The relay: claims mails from the outbox, composes, sends and settles them."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from random import Random
from threading import Event
from traceback import format_tb
from typing import assert_never

import structlog
from sqlalchemy import Connection

from registration import metrics
from registration.mail import outbox
from registration.mail.alarms import Alarms
from registration.mail.composition import Composer, Dropped, look_up
from registration.mail.outbox import Job, Settled
from registration.mail.retries import Failure, patience_with, wait_after
from registration.mail.transport import AboutUs, Broken, Deferred, Outcome, Refused, Sender, Sent, Session, Unknown
from registration.mail.unreadable import park_unreadable
from registration.mail.watch import STOP_SECONDS, Watch
from registration.storage.database import Database, Unavailable
from registration.storage.outages import is_about_a_row

BATCH = 20
# A relay begins no mail later than this after its claim: the lease of a mail is renewed only while it is being sent.
BATCH_TIME = timedelta(minutes=1)
# After so many mails in a row that failed through no fault of their recipients, a turn ends.
TROUBLES = 3
CHORE_BATCH = 500

log = structlog.get_logger(__name__)


Chore = Callable[[Connection, datetime, int], int]
"""Work that a relay does about once an hour, in slices between mails: on at most so many rows; 0 when it is done."""


def no_chore(_connection: Connection, _now: datetime, _limit: int) -> int:
    return 0


Check = Callable[[Connection], None]
"""Raises Unavailable where this node must send no mail."""


def check_nothing(_connection: Connection) -> None:
    """What a relay checks that has nothing to disagree about."""


class Relay:
    """Sends what the outbox holds; any number of relays, in any number of processes, may share one.

    A mail is sent twice only if its relay dies between sending and settling, or if the mail server's answer is lost;
    both copies then have the same Message-ID. The clocks of all nodes must agree to well within the lease.
    """

    def __init__(
        self,
        database: Database,
        composer: Composer,
        sender: Sender,
        *,
        clock: Callable[[], datetime],
        random: Random,
        chore: Chore = no_chore,
        check: Check = check_nothing,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self._database = database
        self._composer = composer
        self._sender = sender
        self._clock = clock
        self._random = random
        self._stopping = Event()
        self._awake = Event()
        self._is_blocked = False
        self._troubles = 0  # in a row
        self._alarms = Alarms(clock)
        self._watch = Watch(clock, self._stopping, stop_seconds)
        self._check = check
        self._chore = chore
        self._chore_at = clock()

    def run(self) -> None:
        """Send until `stop` is called; no outage and no bug ends it."""
        while not self._stopping.is_set():
            try:
                count = self._do_chore() + self.run_once()
            except Unavailable as error:
                self._is_blocked = True
                log.warning("relay waits for the database", reason=str(error))
            except Exception as error:
                self._is_blocked = True
                log.error("relay failed", error=type(error).__name__, trace=_trace(error))
            if self._is_blocked:  # `wake` must not shorten this pause
                self._stopping.wait(self._random.uniform(5, 15))
            elif not count:
                self._awake.wait(self._random.uniform(0.5, 1.5))
                self._awake.clear()

    def stop(self) -> None:
        """End `run` after the present mail, or in some seconds; what is not sent is given back. For other threads."""
        self._stopping.set()
        self._awake.set()

    def wake(self) -> None:
        """Look for mails now instead of at the next poll. For other threads."""
        self._awake.set()

    def run_once(self) -> int:
        """Send what is due, at most one batch of each bucket; returns the number of mails claimed.

        Raises Unavailable.
        """
        size = 1 if self._is_blocked else BATCH  # one mail finds out whether the trouble is over
        self._is_blocked = False
        count = 0
        buckets = self._database.read(self._due_buckets)
        self._random.shuffle(buckets)  # so that relays seldom work on the same bucket
        with self._sender.session() as session:
            for bucket in buckets:
                if self._is_blocked or self._stopping.is_set():
                    break
                jobs = self._claim(bucket, size)
                self._send(jobs, session)
                count += len(jobs)
        return count

    def _due_buckets(self, connection: Connection) -> list[int]:
        self._check(connection)
        return outbox.due_buckets(connection, self._clock())

    def _claim(self, bucket: int, size: int) -> list[Job]:
        now = self._clock()
        claim = partial(outbox.claim, bucket=bucket, now=now, limit=size)
        try:
            return self._database.write(claim)
        except Exception as error:
            if not is_about_a_row(error):
                raise
            log.error("a mail cannot be read", error=type(error).__name__)
        self._database.write(partial(park_unreadable, bucket=bucket, now=now, limit=size))
        return self._database.write(claim)

    def _send(self, jobs: Sequence[Job], session: Session) -> None:
        end = self._clock() + BATCH_TIME
        for position, job in enumerate(jobs):
            if self._is_blocked or self._stopping.is_set() or self._clock() >= end:
                return self._give_back(jobs[position:])
            self._settle(job, self._deliver(job, session))
        return None

    def _deliver(self, job: Job, session: Session) -> Outcome | Dropped:
        try:
            facts = self._database.read(partial(look_up, job=job))
            composed = self._composer.compose(job, facts, self._clock())
            if isinstance(composed, Dropped | Refused | AboutUs):
                return composed
            return self._watch.send(session, job.id, composed, partial(self._renew, job))
        except Exception as error:  # a mail that cannot be read or composed must not hold up the others
            if not is_about_a_row(error):
                raise
            log.error("mail failed", mail=str(job.id), kind=job.kind, error=type(error).__name__, trace=_trace(error))
            return Refused(f"a bug of the gateway: {type(error).__name__}; the log has more")

    def _settle(self, job: Job, outcome: Outcome | Dropped) -> None:
        match outcome:
            case Sent():
                self._close(job, "sent")
            case Dropped(reason):
                self._close(job, "dropped", reason)
            case Refused(reason):
                self._close(job, "parked", reason)
            case Broken() if self._stopping.is_set():
                return self._give_back([job])
            case Deferred():
                self._postpone(job, outcome)
            case AboutUs() | Broken() | Unknown():
                self._postpone(job, outcome)
                return self._count_trouble(outcome)
            case _:
                assert_never(outcome)
        self._troubles = 0
        return None

    def _close(self, job: Job, status: Settled, reason: str | None = None) -> None:
        now = self._clock()
        self._database.write(lambda connection: outbox.settle(connection, job, status, now, reason))
        metrics.MAILS.labels(status).inc()
        log.info("mail settled", mail=str(job.id), kind=job.kind, status=status, attempts=job.attempts, reason=reason)

    def _postpone(self, job: Job, failure: Failure) -> None:
        now, patience = self._clock(), patience_with(failure)
        is_ours = isinstance(failure, AboutUs)
        since = None if is_ours else job.failing_since or now
        reason = f"ours to mend: {failure.reason}" if is_ours else failure.reason
        wait = wait_after(patience, since or now, now, self._random)
        if wait is None:
            days = patience.give_up.days if patience.give_up else 0
            return self._close(job, "parked", f"given up after {days} days: {reason}")
        self._database.write(lambda connection: outbox.postpone(connection, job, now + wait, reason, since))
        metrics.MAILS.labels("waits").inc()
        log.info("mail waits", mail=str(job.id), kind=job.kind, attempts=job.attempts, reason=reason)
        return None

    def _count_trouble(self, failure: AboutUs | Broken | Unknown) -> None:
        """End the turn when other mails would fare no better, and call an operator for what is ours to mend."""
        self._troubles += 1
        self._is_blocked = self._troubles >= TROUBLES or (isinstance(failure, AboutUs) and failure.is_for_all)
        if isinstance(failure, AboutUs) or self._is_blocked:
            self._alarms.call(failure)

    def _give_back(self, jobs: Sequence[Job]) -> None:
        now = self._clock()

        def work(connection: Connection) -> None:
            for job in jobs:
                outbox.give_back(connection, job, now)

        self._database.write(work)

    def _renew(self, job: Job) -> None:
        now = self._clock()
        try:
            self._database.write(lambda connection: outbox.renew(connection, job, now))
        except Unavailable as error:  # the next renewal may come in time
            log.warning("lease not renewed", mail=str(job.id), reason=str(error))

    def _do_chore(self) -> int:
        """One slice, so that mails leave meanwhile, however much there is to do; returns the number of rows."""
        now = self._clock()
        if now < self._chore_at:
            return 0
        # Set first: a chore that fails must not keep mails from leaving.
        self._chore_at = now + timedelta(seconds=self._random.uniform(1800, 5400))
        if count := self._database.write(lambda connection: self._chore(connection, now, CHORE_BATCH)):
            self._chore_at = now
        return count


def _trace(error: BaseException) -> str:
    """The places in the code, without the error's text and local values, which can hold the mail."""
    return "".join(format_tb(error.__traceback__))

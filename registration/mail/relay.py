"""The relay: claims mails from the outbox, composes, sends and settles them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from random import Random
from threading import Event
from traceback import format_tb
from typing import assert_never

import structlog
from sqlalchemy import Connection

from registration.mail import outbox
from registration.mail.composition import Composer, Dropped, look_up
from registration.mail.outbox import Job, Settled
from registration.mail.transport import Deferred, Outcome, Refused, Sender, Sent, Session, Unreachable
from registration.storage.database import Database, Unavailable

BATCH = 20
# A relay begins no mail later than this after its claim, so that the lease holds even when the server is slow.
BATCH_TIME = timedelta(minutes=1)
GIVE_UP = timedelta(days=3)
FIRST_DELAY, LONGEST_DELAY = 20.0, 3600.0  # seconds; drawn from nothing up to these, so half of them on average
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

    A mail is sent twice only if its relay dies between sending and settling, or outlives its lease; both copies then
    have the same Message-ID. The clocks of all nodes must agree to well within the lease.
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
    ) -> None:
        self._database = database
        self._composer = composer
        self._sender = sender
        self._clock = clock
        self._random = random
        self._stopping = Event()
        self._awake = Event()
        self._is_blocked = False
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
        """End `run` after the present mail; the rest of its batch is given back. For other threads."""
        self._stopping.set()
        self._awake.set()

    def wake(self) -> None:
        """Look for mails now instead of at the next poll. For other threads."""
        self._awake.set()

    def run_once(self) -> int:
        """Send what is due, at most one batch of each bucket; returns the number of mails claimed.

        Raises Unavailable.
        """
        self._is_blocked = False
        count = 0
        buckets = self._database.read(self._due_buckets)
        self._random.shuffle(buckets)  # so that relays seldom work on the same bucket
        with self._sender.session() as session:
            for bucket in buckets:
                if self._is_blocked or self._stopping.is_set():
                    break
                jobs = self._database.write(partial(self._claim, bucket))
                self._send(jobs, session)
                count += len(jobs)
        return count

    def _due_buckets(self, connection: Connection) -> list[int]:
        self._check(connection)
        return outbox.due_buckets(connection, self._clock())

    def _claim(self, bucket: int, connection: Connection) -> list[Job]:
        return outbox.claim(connection, bucket, self._clock(), BATCH)

    def _send(self, jobs: Sequence[Job], session: Session) -> None:
        end = self._clock() + BATCH_TIME
        for position, job in enumerate(jobs):
            if self._stopping.is_set() or self._clock() >= end:
                return self._give_back(jobs[position:])
            outcome = self._deliver(job, session)
            if isinstance(outcome, Unreachable):
                self._is_blocked = True
                return self._defer(jobs[position:], outcome.reason)
            self._settle(job, outcome)
        return None

    def _deliver(self, job: Job, session: Session) -> Outcome | Dropped:
        facts = self._database.read(partial(look_up, job=job))
        try:
            composed = self._composer.compose(job, facts, self._clock())
            return composed if isinstance(composed, Dropped | Refused | Deferred) else session.send(job.id, composed)
        except Exception as error:  # a mail that cannot be composed must not hold up the others
            log.error("mail failed", mail=str(job.id), kind=job.kind, error=type(error).__name__, trace=_trace(error))
            return Refused(f"a bug of the gateway: {type(error).__name__}; the log has more")

    def _settle(self, job: Job, outcome: Sent | Refused | Deferred | Dropped) -> None:
        match outcome:
            case Sent():
                self._close(job, "sent")
            case Dropped(reason):
                self._close(job, "dropped", reason)
            case Refused(reason):
                self._close(job, "parked", reason)
            case Deferred(reason):
                self._defer([job], reason)
            case _:
                assert_never(outcome)

    def _close(self, job: Job, status: Settled, reason: str | None = None) -> None:
        now = self._clock()
        self._database.write(lambda connection: outbox.settle(connection, job, status, now, reason))
        log.info("mail settled", mail=str(job.id), kind=job.kind, status=status, attempts=job.attempts, reason=reason)

    def _defer(self, jobs: Sequence[Job], reason: str) -> None:
        now = self._clock()
        too_old = [job for job in jobs if now - job.created_at >= GIVE_UP]
        due = {job: now + self._delay(job.attempts) for job in jobs if job not in too_old}
        self._postpone(due, reason)
        for job in too_old:
            self._close(job, "parked", f"given up after {GIVE_UP.days} days: {reason}")

    def _give_back(self, jobs: Sequence[Job]) -> None:
        self._postpone(dict.fromkeys(jobs, self._clock()), "its turn did not come")

    def _postpone(self, due: Mapping[Job, datetime], reason: str) -> None:
        def work(connection: Connection) -> None:
            for job, due_at in due.items():
                outbox.postpone(connection, job, due_at, reason)

        self._database.write(work)
        for job in due:
            log.info("mail waits", mail=str(job.id), kind=job.kind, attempts=job.attempts, reason=reason)

    def _delay(self, attempts: int) -> timedelta:
        """Exponential back-off with full jitter, so that mails do not come back all at once."""
        longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(attempts - 1, 10))
        return timedelta(seconds=self._random.uniform(0, longest))

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

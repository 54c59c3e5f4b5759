"""The intake of the relay: claims mails that are due, many with one statement, and composes each when it can leave."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from traceback import format_tb
from uuid import UUID

import structlog
from sqlalchemy import Connection

from registration.mail import outbox
from registration.mail.composition import Composer, Dropped, Facts, look_up
from registration.mail.message import Message
from registration.mail.outbox import Job, park_unreadable
from registration.mail.transport import AboutUs, Refused
from registration.storage.database import Database
from registration.storage.outages import is_about_a_row

log = structlog.get_logger(__name__)

Check = Callable[[Connection], None]
"""Raises Unavailable where this node must send no mail."""
Composed = Message | Dropped | Refused | AboutUs


def check_nothing(_connection: Connection) -> None:
    """The check of a relay that has no keys to compare: none."""


class Intake:
    """What a relay gets out of the database. One row that cannot be read holds up no other mail.

    `waiting` are the mails that are claimed and have no connection yet, the longest due first.
    """

    def __init__(self, database: Database, composer: Composer, clock: Callable[[], datetime], check: Check) -> None:
        self._database = database
        self._composer = composer
        self._clock = clock
        self._check = check
        self._facts: dict[UUID, Facts | Refused] = {}
        self.waiting: deque[Job] = deque()

    def claim(self, limit: int) -> int:
        """Claim mails that are due and look up what they need; the number of those. Raises Unavailable.

        Also then `waiting` has what was claimed.
        """
        jobs = self._claim_readable(limit)
        self.waiting.extend(jobs)
        if jobs:
            self._facts.update(self._look_up(jobs))
        return len(jobs)

    def next(self) -> tuple[Job, Composed]:
        """The next waiting mail."""
        job = self.waiting.popleft()
        return job, self._compose(job, self._facts.pop(job.id))

    def take_back(self) -> list[Job]:
        """All waiting mails, which do not wait any more."""
        jobs = list(self.waiting)
        self.waiting.clear()
        self._facts.clear()
        return jobs

    def _claim_readable(self, limit: int) -> list[Job]:
        try:
            return self._claim(limit)
        except Exception as error:
            if not is_about_a_row(error):
                raise
            log.error("a mail cannot be read", error=type(error).__name__)
        self._database.write(partial(park_unreadable, now=self._clock(), limit=limit))
        return self._claim(limit)

    def _claim(self, limit: int) -> list[Job]:
        now = self._clock()

        def look(connection: Connection) -> list[UUID]:
            self._check(connection)
            return outbox.due_ids(connection, now, limit)

        ids = self._database.read(look)
        return self._database.write(partial(outbox.claim, ids=ids, now=now)) if ids else []

    def _look_up(self, jobs: Sequence[Job]) -> dict[UUID, Facts | Refused]:
        try:
            return dict(self._database.read(partial(look_up, jobs=jobs)))
        except Exception as error:
            if not is_about_a_row(error):
                raise
            if len(jobs) == 1:
                return {jobs[0].id: bug_in(jobs[0], error)}
        return {job.id: self._look_up([job])[job.id] for job in jobs}

    def _compose(self, job: Job, facts: Facts | Refused) -> Composed:
        if isinstance(facts, Refused):
            return facts
        try:
            return self._composer.compose(job, facts, self._clock())
        except Exception as error:
            return bug_in(job, error)


def bug_in(job: Job, error: Exception) -> Refused:
    """Log a bug in one mail, which is parked."""
    name = type(error).__name__
    log.error("mail failed", mail=str(job.id), kind=job.kind, error=name, trace=trace(error))
    return Refused(f"a bug of the gateway: {name}; the log has more")


def trace(error: BaseException) -> str:
    """The places in the code, without the error's text and local values, which can hold the mail."""
    return "".join(format_tb(error.__traceback__))

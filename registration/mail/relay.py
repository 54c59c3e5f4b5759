"""The relay: claims mails from the outbox, composes them, hands them to mail servers, and settles them."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from random import Random
from threading import Event

import structlog
from sqlalchemy import Connection

from registration.mail import outbox, settlement
from registration.mail.alarms import Alarms
from registration.mail.composition import Composer, Dropped
from registration.mail.connections import Ended, MailConnection, Task
from registration.mail.intake import Check, Intake, bug_in, check_nothing, trace
from registration.mail.message import Message
from registration.mail.outbox import Job
from registration.mail.servers import Pause, Servers
from registration.mail.settlement import GivenBack, verdict_on
from registration.mail.transport import AboutUs, Broken, Deferred, Outcome, Refused, Sender, Sent, Unknown
from registration.storage.database import Database, Unavailable

CONNECTIONS = 8
HELD = timedelta(seconds=5)  # how long a claimed mail waits for a connection; then it is given back
SETTLE_EVERY = 0.25  # seconds, while a batch leaves; a relay that is killed sends again what it has not settled
LOOK_EVERY = 0.5  # seconds between two looks at the mails under way
STOP_SECONDS, ABORT_SECONDS = 5.0, 2.0  # at a stop, for mails in flight, and then for their connections
# The longest send: without it a server that sends a byte now and then would hold a connection without end.
LONGEST = timedelta(hours=1)
RENEW_EVERY = timedelta(minutes=1)
CHORE_BATCH = 500

log = structlog.get_logger(__name__)

Chore = Callable[[Connection, datetime, int], int]
"""Work that a relay does every few minutes, in slices of at most `limit` rows between mails; 0 when it is done."""


def no_chore(_connection: Connection, _now: datetime, _limit: int) -> int:
    return 0


class Relay:
    """Sends what the outbox holds; any number of relays, in any number of processes, may share one.

    A mail is sent twice only if its relay dies between sending and settling, or if the mail server's answer is lost;
    both copies then have the same Message-ID. The clocks of all nodes must agree to well within the lease.

    One thread turns: it settles the mails that ended, and claims as many as there are free connections, or a batch
    while mail servers are quick. A mail server that is slow holds up only what it was given.
    """

    def __init__(
        self,
        database: Database,
        composer: Composer,
        senders: Sequence[Sender],
        *,
        clock: Callable[[], datetime],
        random: Random,
        connections: int = CONNECTIONS,
        chore: Chore = no_chore,
        check: Check = check_nothing,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self._database = database
        self._intake = Intake(database, composer, clock, check)
        self._servers = Servers(senders, connections, random)
        self._clock = clock
        self._random = random
        self._stopping = Event()
        self._stop_seconds = stop_seconds
        self._unsettled: list[tuple[Job, Outcome | Dropped | GivenBack]] = []
        self._alarms = Alarms(clock)
        self._claimed_at = clock()
        self._renewal_pause = self._chore_pause = Pause()
        self._settle_at = 0.0  # of time.monotonic
        self._may_be_more = False
        self._chore = chore

    def run(self) -> None:
        """Send until `stop` is called; no outage and no bug ends it."""
        while not self._stopping.is_set():
            try:
                self._turn()
                is_tidy = not self._do_chore()
            except Unavailable as error:
                log.warning("relay waits for the database", reason=str(error))
                self._stopping.wait(self._random.uniform(5, 15))
            except Exception as error:
                log.error("relay failed", error=type(error).__name__, trace=trace(error))
                self._stopping.wait(self._random.uniform(5, 15))
            else:
                self._wait(is_tidy)
        self._finish()

    def stop(self) -> None:
        """End `run` after the mails under way or in some seconds; what is not sent is given back. For other threads."""
        self._stopping.set()
        self._servers.interrupt()

    def run_once(self) -> int:
        """Send what is due until no more is, or no server takes it; returns the number of mails claimed.

        Raises Unavailable.
        """
        count = 0
        while (claimed := self._turn()) or self._unsettled or self._intake.waiting or self._servers.under_way():
            count += claimed
            self._hear(LOOK_EVERY if self._servers.under_way() else 0)
        self._servers.close()
        return count

    def _turn(self) -> int:
        """Settle what has ended, claim what is due, and begin to send as far as there is room; the number claimed."""
        self._look_after_lines()
        if not self._intake.waiting or time.monotonic() >= self._settle_at:
            self._settle()
        claimed = 0 if self._intake.waiting else self._claim()
        self._hand_over()
        return claimed

    def _claim(self) -> int:
        self._claimed_at = self._clock()
        limit = 0 if self._stopping.is_set() else self._servers.appetite(self._claimed_at)
        try:
            claimed = self._intake.claim(limit) if limit else 0
        except Exception:
            self._give_back()
            raise
        self._may_be_more = claimed == limit
        return claimed

    def _give_back(self) -> None:
        """Let mails that have no connection yet be claimed by other relays, or again."""
        self._unsettled += [(job, GivenBack()) for job in self._intake.take_back()]

    def _wait(self, is_tidy: bool) -> None:
        """Wait for mails to become due; if more are due than connections are free, wait for a connection."""
        if self._servers.under_way() and (self._may_be_more or self._intake.waiting):
            self._hear(LOOK_EVERY)
            return
        if is_tidy:  # short enough to wait for a mail, and long enough for many to come together
            self._stopping.wait(self._random.uniform(0.2, 0.4))
        self._hear(0)

    def _hand_over(self) -> None:
        room = self._servers.room(self._clock())
        while room and self._intake.waiting:
            job, message = self._intake.next()
            if isinstance(message, Message):
                self._servers.send(Task(job, message, self._clock()))
                room -= 1
            else:
                self._unsettled.append((job, message))

    def _hear(self, seconds: float) -> None:
        """Take the sends that end within `seconds`, to be settled at the next turn."""
        for ended in self._servers.ended(seconds):
            task, ended.connection.task = ended.connection.task, None
            assert task
            self._unsettled.append((task.job, self._learn(ended, task)))

    def _learn(self, ended: Ended, task: Task) -> Outcome | GivenBack:
        """What the end says of the mail; notes what it says of the server, and calls an operator where needed."""
        outcome = ended.outcome
        if isinstance(outcome, BaseException):
            if not isinstance(outcome, Exception):
                raise outcome
            return bug_in(task.job, outcome)
        if ended.connection.is_aborted and not isinstance(outcome, Sent | Refused | Deferred | Unknown):
            # The error names the server, but the relay closed the connection.
            return self._broken_off()
        now = self._clock()
        rests = self._servers.note(ended.connection, outcome, now, now - task.began)
        if isinstance(outcome, AboutUs) or (rests and isinstance(outcome, Broken | Unknown)):
            self._alarms.call(outcome)
        if rests and isinstance(outcome, AboutUs) and outcome.is_for_all and not self._servers.rest(now):
            return GivenBack()  # another server may take it
        return outcome

    def _broken_off(self) -> Broken | GivenBack:
        return GivenBack() if self._stopping.is_set() else Broken("broken off by the relay")

    def _settle(self) -> None:
        if not self._unsettled:
            return
        now = self._clock()
        verdicts = [(job, verdict_on(job, outcome, now, self._random)) for job, outcome in self._unsettled]
        self._database.write(partial(settlement.write, verdicts=verdicts, now=now))
        self._unsettled.clear()
        self._settle_at = time.monotonic() + SETTLE_EVERY
        settlement.report(verdicts)

    def _look_after_lines(self) -> None:
        """Renew the leases of the mails under way, break off those that take too long, and hold no others for long."""
        now, connections = self._clock(), self._servers.under_way()
        if self._stopping.is_set() or self._servers.rest(now) or now - self._claimed_at >= HELD:
            self._give_back()
        for connection in connections:
            if connection.task and now - connection.task.began >= LONGEST:
                self._break_off([connection])
        if connections and not self._renewal_pause.lasts(now):
            self._renew([connection.task.job for connection in connections if connection.task])
            self._renewal_pause = Pause(now, RENEW_EVERY)

    def _renew(self, jobs: Sequence[Job]) -> None:
        now = self._clock()
        try:
            self._database.write(partial(outbox.renew, jobs=jobs, now=now))
        except Unavailable as error:  # the next renewal may come in time
            log.warning("leases not renewed", mails=len(jobs), reason=str(error))

    def _break_off(self, connections: Sequence[MailConnection]) -> None:
        """End sends that are under way. No mail is sent over these connections again, which may not end at all."""
        for connection in connections:
            connection.abort()
        self._await(connections, ABORT_SECONDS)
        for connection in connections:
            if connection.task:
                self._unsettled.append((connection.task.job, self._broken_off()))
            self._servers.leave(connection)

    def _await(self, connections: Sequence[MailConnection], seconds: float) -> None:
        end = time.monotonic() + seconds
        while any(connection.task for connection in connections) and (left := end - time.monotonic()) > 0:
            self._hear(left)

    def _finish(self) -> None:
        self._give_back()
        self._await(self._servers.under_way(), self._stop_seconds)
        self._break_off(self._servers.under_way())
        try:
            self._settle()
        except Unavailable as error:  # what was sent may be sent again when its lease has ended
            log.warning("relay waits for the database", reason=str(error))
        self._servers.close()

    def _do_chore(self) -> int:
        """One slice, so that mails leave meanwhile, however much there is to do; returns the number of rows."""
        now = self._clock()
        if self._chore_pause.lasts(now):
            return 0
        # Set first: a chore that fails must not keep mails from leaving.
        self._chore_pause = Pause(now, timedelta(seconds=self._random.uniform(150, 450)))
        if count := self._database.write(lambda connection: self._chore(connection, now, CHORE_BATCH)):
            self._chore_pause = Pause()
        return count

"""Connections to mail servers: each stays open, and has a thread that sends over it, one mail at a time."""

from dataclasses import dataclass, field
from datetime import datetime
from queue import Empty, SimpleQueue
from threading import Thread

from registration.mail.message import Message
from registration.mail.outbox import Job
from registration.mail.transport import Outcome, Sender, Session
from registration.tracing import traces

IDLE_SECONDS = 30.0
"""How long a connection stays open without a mail; servers wait for five minutes at least (RFC 5321, 4.5.3.2.7)."""
MAILS_A_CONNECTION = 100
"""Servers count the mails of a connection, and some refuse the hundred and first."""


@dataclass(frozen=True, slots=True)
class Task:
    """A mail that is being sent since `began`."""

    job: Job
    message: Message = field(repr=False)
    began: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of the mail on a connection; an exception is a bug."""

    connection: "MailConnection"
    outcome: Outcome | BaseException


class MailConnection:
    """A connection that opens for a mail, and closes after some mails or some idle time.

    `task` is None while the connection is free.
    """

    def __init__(self, sender: Sender, ends: "SimpleQueue[Ended | None]") -> None:
        self.task: Task | None = None
        self.is_aborted = False
        self._sender = sender
        self._ends = ends
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._session: Session | None = None
        # Daemon: a look-up of the server's name can be ended by nothing, and must not hold up the end of the process.
        self._thread = Thread(target=self._work, name="mail", daemon=True)
        self._thread.start()

    def send(self, task: Task) -> None:
        """Begin to send; what became of the mail comes through the queue of ends."""
        self.task = task
        self._tasks.put(task)

    def abort(self) -> None:
        """End the send that is under way, if that is possible."""
        self.is_aborted = True
        if self._session:
            self._session.abort()

    def close(self) -> None:
        """Let the connection and the thread end; `join` waits for that."""
        for _ in range(2):  # one for the connection that idles, one for the thread
            self._tasks.put(None)

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _work(self) -> None:
        while task := self._tasks.get():
            try:
                with self._sender.session() as self._session:
                    self._send_until_idle(self._session, task)
            except BaseException as error:
                self._ends.put(Ended(self, error))

    def _send_until_idle(self, session: Session, first: Task) -> None:
        task: Task | None = first
        sent = 0
        while task:
            self._ends.put(Ended(self, _sent(session, task)))
            sent += 1
            task = self._next() if sent < MAILS_A_CONNECTION else None

    def _next(self) -> Task | None:
        try:
            return self._tasks.get(timeout=IDLE_SECONDS)
        except Empty:
            return None


def _sent(session: Session, task: Task) -> Outcome:
    """Send, in a span that links to the one that promised the mail."""
    job = task.job
    with traces.span("mail", kind="consumer", cause=job.traceparent, mail_kind=job.kind, attempt=job.attempts):
        outcome = session.send(job.id, task.message)
        traces.tell(outcome=type(outcome).__name__)
    return outcome

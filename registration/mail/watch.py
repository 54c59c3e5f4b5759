"""Sends on a thread of its own, so that a mail server that is slow holds up neither a lease nor a shutdown."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from datetime import datetime, timedelta
from email.message import EmailMessage
from threading import Event, Thread
from uuid import UUID

from registration.mail.transport import Broken, Deferred, Outcome, Refused, Sent, Session, Unknown

LOOK_EVERY = 0.5  # seconds
# How long a mail that is under way is waited for when its relay stops, and then for the end of its connection.
STOP_SECONDS, ABORT_SECONDS = 5.0, 2.0
# No server that means well needs as long; one that sends a byte now and then could hold a relay for ever.
LONGEST = timedelta(hours=1)
RENEW_EVERY = timedelta(minutes=1)


class Watch:
    """Waits for the end of a send, renews the lease of its mail meanwhile, and ends it when its relay stops."""

    def __init__(self, clock: Callable[[], datetime], stopping: Event, stop_seconds: float = STOP_SECONDS) -> None:
        self._clock = clock
        self._stopping = stopping
        self._stop_seconds = stop_seconds

    def send(self, session: Session, mail_id: UUID, message: EmailMessage, renew: Callable[[], None]) -> Outcome:
        """The outcome; Broken when the send was ended before the mail server had all of the mail."""
        end, renew_at = self._clock() + LONGEST, self._clock() + RENEW_EVERY
        sending = _begin(session, mail_id, message)
        while not _is_over(sending, LOOK_EVERY):
            now = self._clock()
            if now >= end or (self._stopping.is_set() and not _is_over(sending, self._stop_seconds)):
                return _break_off(session, sending)
            if now >= renew_at:
                renew()
                renew_at = now + RENEW_EVERY
        return sending.result()


def _begin(session: Session, mail_id: UUID, message: EmailMessage) -> Future[Outcome]:
    sending: Future[Outcome] = Future()

    def work() -> None:
        try:
            sending.set_result(session.send(mail_id, message))
        except BaseException as error:
            sending.set_exception(error)

    # Daemon: a look-up of the server's name can be ended by nothing, and must not hold up the end of the process.
    Thread(target=work, name="mail", daemon=True).start()
    return sending


def _is_over(sending: Future[Outcome], seconds: float) -> bool:
    wait([sending], seconds)
    return sending.done()


def _break_off(session: Session, sending: Future[Outcome]) -> Outcome:
    session.abort()
    outcome = sending.result() if _is_over(sending, ABORT_SECONDS) else None
    # Any other outcome tells of the broken connection as if the server had broken it.
    return outcome if isinstance(outcome, Sent | Refused | Deferred | Unknown) else Broken("broken off by the relay")

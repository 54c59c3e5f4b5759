"""Relays for tests, with a clock and senders that tests control."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.headerregistry import Address
from random import Random
from threading import Event, Thread
from uuid import UUID

from registration.mail.composition import Composer
from registration.mail.listing import MailRecord, list_mails
from registration.mail.message import Message
from registration.mail.relay import Relay
from registration.mail.transport import Outcome, Sender, Sent
from registration.storage.database import Database
from tests.registration.people import NOW, SECRET
from tests.waiting import wait_for

COMPOSER = Composer(SECRET, "https://shop.example", Address("Shop", "mail", "shop.example"))

RANDOM = Random(1)  # noqa: S311 - jitter, not a secret


class Clock:
    """A time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOW
        self.calls = 0

    def __call__(self) -> datetime:
        self.calls += 1
        return self.now

    def pass_(self, time: timedelta) -> None:
        self.now += time


class ScriptedSender:
    """A sender that answers with `answer` and keeps the ids of the mails that it was handed."""

    def __init__(self, answer: Callable[[UUID], Outcome] = lambda mail_id: Sent()) -> None:
        self.answer = answer
        self.handed: list[UUID] = []

    @contextmanager
    def session(self) -> Iterator["ScriptedSender"]:
        yield self

    def send(self, mail_id: UUID, message: Message) -> Outcome:
        self.handed.append(mail_id)
        return self.answer(mail_id)

    def abort(self) -> None:
        """No answer of a test's takes time."""


def relay_of(database: Database, sender: Sender, clock: Clock | None = None, *others: Sender) -> Relay:
    return Relay(database, COMPOSER, [sender, *others], clock=clock or Clock(), random=RANDOM)


def listed(database: Database, status: str) -> list[MailRecord]:
    return database.read(lambda connection: list_mails(connection, status, 1000))


def due(entry: MailRecord) -> datetime:
    assert entry.due_at
    return entry.due_at


@contextmanager
def running(*relays: Relay) -> Iterator[None]:
    threads = [Thread(target=relay.run) for relay in relays]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for relay in relays:
            relay.stop()
        for thread in threads:
            thread.join(timeout=30)
        assert not any(thread.is_alive() for thread in threads)


class LongPauses(Random):
    """Draws pauses that only an event can end."""

    def uniform(self, a: float, b: float) -> float:
        return b + 600


class NoPauses(Random):
    """Draws pauses of 0 seconds."""

    def uniform(self, a: float, b: float) -> float:
        return 0


class Signalling(ScriptedSender):
    """A sender that sets an event when it is handed a mail."""

    def __init__(self, answer: Callable[[UUID], Outcome] = lambda mail_id: Sent()) -> None:
        super().__init__(answer)
        self.was_handed = Event()

    def send(self, mail_id: UUID, message: Message) -> Outcome:
        outcome = super().send(mail_id, message)
        self.was_handed.set()
        return outcome

    def wait(self) -> None:
        wait_for(self.was_handed)
        self.was_handed.clear()

"""The relay on real databases, with real mail servers and with senders that tests control."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from random import Random
from threading import Event, Thread
from uuid import UUID

import pytest
from sqlalchemy import Connection
from structlog.testing import capture_logs

from harness.smtp import SmtpServer
from registration.limits import idempotency
from registration.limits.attempts import Limit, count_attempt
from registration.limits.idempotency import Ticket
from registration.mail import outbox
from registration.mail.composition import Composer
from registration.mail.outbox import LEASE, MailRecord
from registration.mail.relay import BATCH_TIME, GIVE_UP, Relay
from registration.mail.senders import open_sender
from registration.mail.transport import Deferred, Outcome, Refused, Sender, Sent, Unreachable
from registration.storage import tables
from registration.storage.database import Database, open_database
from tests.registration.people import NOW, SECRET, signed_up
from tests.registration.stored import rows
from tests.registration.tidying import KEEPING
from tests.waiting import eventually, wait_for

COMPOSER = Composer(SECRET, "https://shop.example", Address("Shop", "mail", "shop.example"))

RANDOM = Random(1)  # noqa: S311 - jitter, not a secret


class Clock:
    """A time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
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

    def send(self, mail_id: UUID, message: EmailMessage) -> Outcome:
        self.handed.append(mail_id)
        return self.answer(mail_id)


def relay_of(database: Database, sender: Sender, clock: Clock | None = None) -> Relay:
    return Relay(database, COMPOSER, sender, clock=clock or Clock(), random=RANDOM)


def listed(database: Database, status: str) -> list[MailRecord]:
    return database.read(lambda connection: outbox.list_mails(connection, status, 1000))


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


def test_a_sign_up_gets_its_mail(database: Database, smtp: SmtpServer) -> None:
    """A mail that is due is sent and settled, and then no mail is due."""
    signed_up(database)
    relay = relay_of(database, open_sender(smtp.url))
    assert (relay.run_once(), relay.run_once()) == (1, 0)
    [message] = smtp.messages
    [entry] = listed(database, "sent")
    assert message["To"] == "ada@example.org"
    assert message["Message-ID"] == f"<{entry.id}@shop.example>"


def test_two_relays_send_each_mail_once(database: Database, smtp: SmtpServer) -> None:
    """Two relays share the mails and send each of them once."""
    for _ in range(60):
        signed_up(database)
    first, second = (relay_of(database, open_sender(smtp.url)) for _ in range(2))

    def drain(relay: Relay) -> None:
        while relay.run_once():
            pass

    threads = [Thread(target=drain, args=[relay]) for relay in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = Counter(message["Message-ID"] for message in smtp.messages)
    assert ids == Counter(f"<{entry.id}@shop.example>" for entry in listed(database, "sent"))
    assert (len(ids), set(ids.values())) == (60, {1})


def test_the_mail_of_a_dead_relay_is_sent_by_another(database: Database) -> None:
    """A mail that was claimed and not settled is sent by another relay after its lease."""
    signed_up(database)

    def die(mail_id: UUID) -> Outcome:
        raise SystemExit  # as a killed process: nothing after it runs

    clock, sender = Clock(), ScriptedSender()
    with pytest.raises(SystemExit):
        relay_of(database, ScriptedSender(die), clock).run_once()
    assert relay_of(database, sender, clock).run_once() == 0
    clock.pass_(LEASE)
    assert relay_of(database, sender, clock).run_once() == 1
    assert sender.handed == [entry.id for entry in listed(database, "sent")]


def test_both_copies_of_a_mail_have_one_message_id(database: Database, smtp: SmtpServer) -> None:
    """A relay that dies between sending and settling causes a second copy, with the same Message-ID and date."""
    signed_up(database)

    class Dying(ScriptedSender):
        def send(self, mail_id: UUID, message: EmailMessage) -> Outcome:
            with open_sender(smtp.url).session() as session:
                session.send(mail_id, message)
            raise SystemExit

    clock = Clock()
    with pytest.raises(SystemExit):
        relay_of(database, Dying(), clock).run_once()
    clock.pass_(LEASE)
    relay_of(database, open_sender(smtp.url), clock).run_once()
    first, second = smtp.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]


def test_a_server_that_is_down_loses_nothing(database: Database, smtp: SmtpServer) -> None:
    """Mails wait while the server is down, and are sent when it is back."""
    for _ in range(30):
        signed_up(database)
    clock = Clock()
    relay = relay_of(database, open_sender(smtp.url), clock)
    smtp.stop()
    for _ in range(20):
        relay.run_once()
        clock.pass_(timedelta(minutes=1))
    assert {entry.reason for entry in listed(database, "waiting")} <= {
        "no connection: ConnectionRefusedError: Connection refused",
        None,
    }
    smtp.start()
    for _ in range(60):
        relay.run_once()
        clock.pass_(timedelta(minutes=1))
    assert len(smtp.messages) == len(listed(database, "sent")) == 30


def test_a_server_that_is_down_is_tried_once_a_turn(database: Database) -> None:
    """When no mail can be sent, the rest of the batch waits without a try, and no other bucket is claimed."""
    for _ in range(100):
        signed_up(database)
    sender = ScriptedSender(lambda mail_id: Unreachable("down"))
    count = relay_of(database, sender).run_once()
    assert len(sender.handed) == 1
    assert len([entry for entry in listed(database, "waiting") if entry.reason == "down"]) == count < 100


def test_a_deferred_mail_comes_back_later_and_later(database: Database) -> None:
    """Delays are drawn up to a limit that doubles from 20 seconds to an hour."""
    signed_up(database)
    clock = Clock()
    sender = ScriptedSender(lambda mail_id: Deferred("greylisted"))
    relay = relay_of(database, sender, clock)
    for attempt in range(1, 15):
        assert relay.run_once() == 1
        [entry] = listed(database, "waiting")
        assert entry.attempts == attempt
        assert timedelta() <= entry.due_at - clock.now <= timedelta(seconds=min(3600, 20 * 2 ** (attempt - 1)))
        clock.now = entry.due_at


@pytest.mark.parametrize("outcome", [Deferred("greylisted"), Unreachable("down")])
def test_a_mail_is_given_up_after_three_days(database: Database, outcome: Outcome) -> None:
    """After three days a mail is parked with the last reason, and an operator can have it tried again."""
    signed_up(database)
    clock = Clock()
    sender = ScriptedSender(lambda mail_id: outcome)
    relay = relay_of(database, sender, clock)
    clock.pass_(GIVE_UP - timedelta(hours=2))
    relay.run_once()
    [waiting] = listed(database, "waiting")
    clock.pass_(timedelta(hours=2))
    relay.run_once()
    [entry] = listed(database, "parked")
    assert (entry.id, entry.reason) == (waiting.id, f"given up after 3 days: {outcome.reason}")  # type: ignore[union-attr]
    sender.answer = lambda mail_id: Sent()
    assert database.write(lambda connection: outbox.retry_mails(connection, clock.now)) == 1
    relay.run_once()
    assert [entry.id for entry in listed(database, "sent")] == [entry.id]


def test_a_refused_mail_is_parked(database: Database, smtp: SmtpServer) -> None:
    """A mail that the server refuses for good is parked with the code, and the next one is sent."""
    for _ in range(2):
        signed_up(database)
    smtp.answers.append("554 5.7.1 ada@example.org: no")
    relay = relay_of(database, open_sender(smtp.url))
    assert relay.run_once() == 2
    assert [entry.reason for entry in listed(database, "parked")] == ["content refused: 554 5.7.1"]
    assert len(smtp.messages) == len(listed(database, "sent")) == 1


def test_a_needless_mail_is_dropped(database: Database) -> None:
    """A mail that is not needed any more is recorded as dropped and not sent."""
    signed_up(database, confirmed_at=NOW)
    sender = ScriptedSender()
    relay_of(database, sender).run_once()
    assert sender.handed == []
    assert [entry.reason for entry in listed(database, "dropped")] == ["the address is confirmed"]


def test_a_mail_that_cannot_be_composed_is_parked(database: Database) -> None:
    """A bug in one mail is logged and holds no other mail up; neither log nor reason quote what the mail holds."""
    signed_up(database, email="not-an-address")
    signed_up(database)
    with capture_logs() as logs:
        assert relay_of(database, ScriptedSender()).run_once() == 2
    [entry] = listed(database, "parked")
    assert entry.reason == "a bug of the gateway: EmailSyntaxError; the log has more"
    assert len(listed(database, "sent")) == 1
    [fault] = [line for line in logs if line["log_level"] == "error"]
    assert (fault["mail"], fault["error"]) == (str(entry.id), "EmailSyntaxError")
    assert "in _recipient" in fault["trace"]
    assert "not-an-address" not in str(logs)


def test_the_log_tells_mails_by_id(database: Database) -> None:
    """Each end and each delay is logged with the mail's id and kind, without address, name, key or body."""
    outcomes: Iterator[Outcome] = iter([Sent(), Refused("550"), Deferred("451")])
    for _ in range(3):
        signed_up(database)
    with capture_logs() as logs:
        relay_of(database, ScriptedSender(lambda mail_id: next(outcomes))).run_once()
    entries = [entry for status in ("sent", "parked", "waiting") for entry in listed(database, status)]
    assert {(line["mail"], line["kind"]) for line in logs} == {(str(entry.id), entry.kind) for entry in entries}
    assert not any(secret in str(logs) for secret in ("ada@", "Ada", "Lovelace", "token="))


def test_a_slow_server_cannot_outlive_the_lease(database: Database) -> None:
    """A batch that takes too long is broken off, and its rest is due again at once."""
    for _ in range(100):
        signed_up(database)
    clock = Clock()

    def take_time(mail_id: UUID) -> Outcome:
        clock.pass_(BATCH_TIME / 2)
        return Sent()

    sender = ScriptedSender(take_time)
    relay = relay_of(database, sender, clock)
    relay.run_once()
    per_bucket = Counter(mail_id.int % outbox.BUCKETS for mail_id in sender.handed)
    assert set(per_bucket.values()) <= {1, 2}
    given_back = [entry for entry in listed(database, "waiting") if entry.reason == "its turn did not come"]
    assert len(given_back) + len(sender.handed) == 100
    assert all(entry.due_at <= clock.now for entry in given_back)


def test_a_stopped_relay_gives_its_batch_back(database: Database) -> None:
    """A relay that is stopped finishes the present mail; the rest of its batch is due for others at once."""
    for _ in range(100):
        signed_up(database)

    def stop(mail_id: UUID) -> Outcome:
        relay.stop()
        return Sent()

    sender = ScriptedSender(stop)
    relay = relay_of(database, sender)
    relay.run_once()
    assert len(sender.handed) == len(listed(database, "sent")) == 1
    assert all(entry.due_at == NOW for entry in listed(database, "waiting"))


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

    def send(self, mail_id: UUID, message: EmailMessage) -> Outcome:
        outcome = super().send(mail_id, message)
        self.was_handed.set()
        return outcome

    def wait(self) -> None:
        wait_for(self.was_handed)
        self.was_handed.clear()


def test_a_sign_up_wakes_the_relay(database: Database) -> None:
    """`wake` makes a relay send at once instead of at its next poll."""
    sender = Signalling()
    relay = Relay(database, COMPOSER, sender, clock=Clock(), random=LongPauses())
    signed_up(database)
    with running(relay):
        sender.wait()
        signed_up(database)
        relay.wake()
        sender.wait()


def test_a_relay_that_pauses_stops_at_once(database: Database) -> None:
    """A relay that pauses, because the server is down for example, stops at once."""
    sender = Signalling(lambda mail_id: Unreachable("down"))
    signed_up(database)
    with running(Relay(database, COMPOSER, sender, clock=Clock(), random=LongPauses())):
        sender.wait()


def test_a_relay_survives_a_database_outage(sqlite_url: str) -> None:
    """A relay logs an outage of the database and goes on by itself."""
    database, other = open_database(sqlite_url, wait=0.05), open_database(sqlite_url)
    signed_up(database)
    sender = Signalling()
    with capture_logs() as logs, running(Relay(database, COMPOSER, sender, clock=Clock(), random=NoPauses())):
        other.write(lambda connection: eventually(lambda: "relay waits for the database" in str(logs)))
        sender.wait()
    database.close()
    other.close()


def test_a_bug_does_not_end_the_relay(database: Database) -> None:
    """An unexpected exception is logged without its text, and the relay goes on."""
    text = "ada" + "@example.org"

    class FailsOnce(Signalling):
        @contextmanager
        def session(self) -> Iterator[ScriptedSender]:
            if "relay failed" not in str(logs):
                raise RuntimeError(text)
            yield self

    signed_up(database)
    sender = FailsOnce()
    with capture_logs() as logs, running(Relay(database, COMPOSER, sender, clock=Clock(), random=NoPauses())):
        sender.wait()
    assert [line["error"] for line in logs if line["log_level"] == "error"] == ["RuntimeError"]
    assert text not in str(logs)


def test_old_mails_are_deleted(database: Database) -> None:
    """A running relay deletes mails that were settled over a month ago."""
    clock, sender = Clock(), Signalling()
    for _ in range(2):
        signed_up(database)
    relay = Relay(database, COMPOSER, sender, clock=clock, random=RANDOM, chore=KEEPING.tidy_up)
    relay.run_once()
    relay = Relay(database, COMPOSER, sender, clock=clock, random=NoPauses(), chore=KEEPING.tidy_up)
    clock.pass_(timedelta(days=31))
    with running(relay):
        eventually(lambda: not listed(database, "sent"))


def test_mails_leave_while_there_is_more_to_tidy(database: Database) -> None:
    """A chore with endless work delays no mail: one slice of it is done between two looks for mails."""
    signed_up(database)
    slices: list[int] = []

    def endless(_connection: Connection, _now: datetime, limit: int) -> int:
        slices.append(limit)
        return limit

    with running(Relay(database, COMPOSER, Signalling(), clock=Clock(), random=NoPauses(), chore=endless)):
        eventually(lambda: listed(database, "sent"))
        done = len(slices)
        eventually(lambda: len(slices) > done)


def test_mails_leave_though_the_chore_fails(database: Database) -> None:
    """A chore that fails keeps no mail from leaving: it is tried again about an hour later."""
    signed_up(database)

    class NoShortPauses(Random):
        def uniform(self, a: float, b: float) -> float:
            return 0 if b < 60 else b

    def broken(_connection: Connection, _now: datetime, _limit: int) -> int:
        raise RuntimeError

    with running(Relay(database, COMPOSER, Signalling(), clock=Clock(), random=NoShortPauses(), chore=broken)):
        eventually(lambda: listed(database, "sent"))


def test_expired_rows_are_deleted(database: Database) -> None:
    """A running relay deletes expired counts of attempts and idempotency records."""
    clock = Clock()

    def work(connection: Connection) -> None:
        count_attempt(connection, "key", Limit(1, 60), NOW)
        idempotency.begin(connection, Ticket("key", "fingerprint"), NOW)

    database.write(work)
    clock.pass_(idempotency.LIFETIME)
    with running(Relay(database, COMPOSER, Signalling(), clock=clock, random=NoPauses(), chore=KEEPING.tidy_up)):
        eventually(lambda: not rows(database, tables.attempt) and not rows(database, tables.idempotency))

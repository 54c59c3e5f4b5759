"""The relay on real databases, with real mail servers and with senders that tests control."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
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
from registration.mail.message import Message
from registration.mail.outbox import LEASE
from registration.mail.relay import Relay
from registration.mail.senders import open_sender
from registration.mail.settlement import Failure
from registration.mail.transport import AboutUs, Broken, Deferred, Outcome, Refused, Sent, Unknown
from registration.storage import tables
from registration.storage.database import Database, open_database
from tests.registration.mail.relays import (
    COMPOSER,
    RANDOM,
    Clock,
    LongPauses,
    NoPauses,
    ScriptedSender,
    Signalling,
    due,
    listed,
    relay_of,
    running,
)
from tests.registration.people import NOW, signed_up
from tests.registration.stored import rows
from tests.registration.tidying import KEEPING
from tests.waiting import eventually, wait_for


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
        def send(self, mail_id: UUID, message: Message) -> Outcome:
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


@pytest.mark.long
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
        "ours to mend: connection failed: ConnectionRefusedError: Connection refused",
        None,
    }
    smtp.start()
    for _ in range(60):
        relay.run_once()
        clock.pass_(timedelta(minutes=1))
    assert len(smtp.messages) == len(listed(database, "sent")) == 30


def test_a_server_that_is_down_is_tried_with_one_mail(database: Database) -> None:
    """A server that has not taken a mail yet is given one; if that fails no other is claimed until it has rested."""
    for _ in range(20):
        signed_up(database)
    clock, sender = Clock(), ScriptedSender(lambda mail_id: AboutUs("down"))
    relay = relay_of(database, sender, clock)
    for tries in (1, 2):
        assert relay.run_once() == 1
        assert relay.run_once() == 0
        waiting = listed(database, "waiting")
        assert {entry.reason for entry in waiting if entry.id in sender.handed} == {"ours to mend: down"}
        untried = [entry for entry in waiting if entry.id not in sender.handed]
        assert len(untried) == 20 - tries
        assert {(entry.due_at, entry.attempts, entry.reason) for entry in untried} == {(NOW, 0, None)}
        clock.pass_(timedelta(seconds=15))


@pytest.mark.long
def test_all_mails_go_when_the_trouble_is_over(database: Database) -> None:
    """After a trouble one mail is tried, and when it is sent, the others follow."""
    for _ in range(30):
        signed_up(database)
    clock, sender = Clock(), ScriptedSender(lambda mail_id: AboutUs("down"))
    relay = relay_of(database, sender, clock)
    relay.run_once()
    sender.answer = lambda mail_id: Sent()
    clock.pass_(timedelta(minutes=5))
    assert relay.run_once() == 30
    assert len(listed(database, "sent")) == 30


def test_a_deferred_mail_comes_back_later_and_later(database: Database) -> None:
    """A mail that the recipient's side does not take for now waits at most twice as long as it has failed."""
    signed_up(database)
    clock = Clock()
    sender = ScriptedSender(lambda mail_id: Deferred("greylisted"))
    relay = relay_of(database, sender, clock)
    for attempt in range(1, 15):
        assert relay.run_once() == 1
        [entry] = listed(database, "waiting")
        assert (entry.attempts, entry.reason) == (attempt, "greylisted")
        limit = min(timedelta(hours=1), max(timedelta(seconds=20), 2 * (clock.now - NOW)))
        assert clock.now <= due(entry) <= clock.now + limit
        clock.now = due(entry)


@pytest.mark.parametrize(
    ("outcome", "days"), [(Deferred("greylisted"), 3), (Broken("hung up"), 7), (Unknown("no answer"), 7)]
)
def test_a_mail_is_given_up_after_days_of_failure(database: Database, outcome: Failure, days: int) -> None:
    """Some days after its first failure a mail is parked with the last reason."""
    signed_up(database)
    clock = Clock()
    relay = relay_of(database, ScriptedSender(lambda mail_id: outcome), clock)
    relay.run_once()
    clock.pass_(timedelta(days=days) - timedelta(seconds=1))
    relay.run_once()
    [waiting] = listed(database, "waiting")
    clock.pass_(timedelta(days=2))
    relay.run_once()
    [entry] = listed(database, "parked")
    assert (entry.id, entry.reason) == (waiting.id, f"given up after {days} days: {outcome.reason}")


def test_what_is_about_us_parks_no_mail(database: Database) -> None:
    """A mail that is refused for a reason of ours waits for months, and is sent when that is mended."""
    signed_up(database, lifetime=timedelta(days=365))
    clock = Clock()
    sender = ScriptedSender(lambda mail_id: AboutUs("sender refused: 553 5.7.1"))
    relay = relay_of(database, sender, clock)
    for _ in range(10):
        assert relay.run_once() == 1
        clock.pass_(timedelta(days=10))
    assert [entry.reason for entry in listed(database, "waiting")] == ["ours to mend: sender refused: 553 5.7.1"]
    sender.answer = lambda mail_id: Sent()
    relay.run_once()
    assert len(listed(database, "sent")) == 1


def test_what_is_about_us_calls_an_operator_once_an_hour(database: Database) -> None:
    """Each reason is logged as one error an hour, or as a warning where it may pass by itself."""
    signed_up(database)
    clock = Clock()
    outcome = AboutUs("sender refused: 553 5.7.1")
    relay = relay_of(database, ScriptedSender(lambda mail_id: outcome), clock)

    def alarms(turns: int) -> list[tuple[str, str]]:
        with capture_logs() as logs:
            for _ in range(turns):
                relay.run_once()
                clock.pass_(timedelta(minutes=5))
        return [(line["log_level"], line["reason"]) for line in logs if line["event"].startswith("mails wait for")]

    assert alarms(12) == [("error", outcome.reason)]
    assert alarms(1) == [("error", outcome.reason)]
    outcome = AboutUs("sender refused: 451", is_lasting=False)
    assert alarms(12) == [("warning", outcome.reason)]
    clock.pass_(timedelta(days=-1))
    signed_up(database, now=clock.now)
    assert alarms(1) == [("warning", outcome.reason)]


def test_giving_up_is_counted_from_the_last_failure_of_ours(database: Database) -> None:
    """A mail that was deferred, then waited for us, and is deferred again after days is not given up for that."""
    signed_up(database)
    clock = Clock()
    outcomes: Iterator[Outcome] = iter([Deferred("451"), AboutUs("quota"), Deferred("451")])
    relay = relay_of(database, ScriptedSender(lambda mail_id: next(outcomes)), clock)
    for _ in range(3):
        assert relay.run_once() == 1
        clock.pass_(timedelta(days=2))
    assert [entry.reason for entry in listed(database, "waiting")] == ["451"]


def test_a_refused_mail_is_parked(database: Database, smtp: SmtpServer) -> None:
    """A mail that the server refuses for good is parked with the code, and the next one is sent."""
    for _ in range(2):
        signed_up(database)
    smtp.answers.append("554 5.1.1 ada@example.org: no")
    relay = relay_of(database, open_sender(smtp.url))
    assert relay.run_once() == 2
    assert [entry.reason for entry in listed(database, "parked")] == ["content refused: 554 5.1.1"]
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


def test_a_relay_that_pauses_stops_at_once(database: Database) -> None:
    """A relay that pauses, because the server is down for example, stops at once."""
    sender = Signalling(lambda mail_id: AboutUs("down"))
    signed_up(database)
    with running(Relay(database, COMPOSER, [sender], clock=Clock(), random=LongPauses())):
        sender.wait()


def test_a_relay_survives_a_database_outage(sqlite_url: str) -> None:
    """A relay logs an outage of the database and goes on by itself."""
    database, other = open_database(sqlite_url, wait=0.05), open_database(sqlite_url)
    signed_up(database)
    sender = Signalling()
    with capture_logs() as logs, running(Relay(database, COMPOSER, [sender], clock=Clock(), random=NoPauses())):
        other.write(lambda connection: eventually(lambda: "relay waits for the database" in str(logs)))
        sender.wait()
    database.close()
    other.close()


def test_an_outage_when_a_relay_stops_leaves_its_mail_to_the_lease(sqlite_url: str) -> None:
    """What was sent and cannot be settled any more waits on: it may come twice, and is not lost."""
    database, other = open_database(sqlite_url, wait=0.05), open_database(sqlite_url)
    signed_up(database)
    begun, locked, stopped = Event(), Event(), Event()

    def stop_amid(_mail_id: UUID) -> Outcome:
        relay.stop()
        begun.set()
        wait_for(locked)
        return Sent()

    relay = relay_of(database, ScriptedSender(stop_amid))

    def hold(_connection: Connection) -> None:
        locked.set()
        wait_for(stopped)

    with capture_logs() as logs:
        sending = Thread(target=relay.run)
        sending.start()
        wait_for(begun)
        holding = Thread(target=other.write, args=[hold])
        holding.start()
        sending.join()
        stopped.set()
        holding.join()
    assert "relay waits for the database" in str(logs)
    assert len(listed(other, "waiting")) == 1
    database.close()
    other.close()


def test_a_bug_in_a_sender_parks_the_mail(database: Database) -> None:
    """A mail whose sender fails with an unexpected exception is parked, and the log tells where."""

    text = "ada" + "@example.org"

    def fail(_mail_id: UUID) -> Outcome:
        raise ZeroDivisionError(text)

    signed_up(database)
    with capture_logs() as logs:
        relay_of(database, ScriptedSender(fail)).run_once()
    [entry] = listed(database, "parked")
    assert entry.reason == "a bug of the gateway: ZeroDivisionError; the log has more"
    assert text not in str(logs)


def test_a_bug_does_not_end_the_relay(database: Database) -> None:
    """An unexpected exception is logged without its text, and the relay goes on."""
    text = "ada" + "@example.org"

    def fail_once(_connection: Connection, _now: datetime, _limit: int) -> int:
        if "relay failed" not in str(logs):
            raise ZeroDivisionError(text)
        return 0

    signed_up(database)
    sender = Signalling()
    relay = Relay(database, COMPOSER, [sender], clock=Clock(), random=NoPauses(), chore=fail_once)
    with capture_logs() as logs, running(relay):
        sender.wait()
        eventually(lambda: "relay failed" in str(logs))
    assert [line["error"] for line in logs if line["log_level"] == "error"] == ["ZeroDivisionError"]
    assert text not in str(logs)


def test_old_mails_are_deleted(database: Database) -> None:
    """A running relay deletes mails that were settled over a month ago."""
    clock, sender = Clock(), Signalling()
    for _ in range(2):
        signed_up(database)
    relay = Relay(database, COMPOSER, [sender], clock=clock, random=RANDOM, chore=KEEPING.tidy_up)
    relay.run_once()
    relay = Relay(database, COMPOSER, [sender], clock=clock, random=NoPauses(), chore=KEEPING.tidy_up)
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

    with running(Relay(database, COMPOSER, [Signalling()], clock=Clock(), random=NoPauses(), chore=endless)):
        eventually(lambda: listed(database, "sent"))
        done = len(slices)
        eventually(lambda: len(slices) > done)


def test_mails_leave_though_the_chore_fails(database: Database) -> None:
    """A chore that fails keeps no mail from leaving: it is tried again some minutes later."""
    signed_up(database)

    class NoShortPauses(Random):
        def uniform(self, a: float, b: float) -> float:
            return 0 if b < 60 else b

    def broken(_connection: Connection, _now: datetime, _limit: int) -> int:
        raise RuntimeError

    with running(Relay(database, COMPOSER, [Signalling()], clock=Clock(), random=NoShortPauses(), chore=broken)):
        eventually(lambda: listed(database, "sent"))


def test_a_clock_that_is_set_back_ends_pauses(database: Database) -> None:
    """When its clock is set back by hours, a relay does its chore, and tries a server that rested."""
    clock = Clock()
    chores: list[datetime] = []

    class NoTurnPauses(Random):
        def uniform(self, a: float, b: float) -> float:
            return 0 if b < 1 else b

    def chore(_connection: Connection, now: datetime, _limit: int) -> int:
        chores.append(now)
        return 0

    sender = Signalling(lambda mail_id: AboutUs("down") if len(sender.handed) == 1 else Sent())
    signed_up(database)
    relay = Relay(database, COMPOSER, [sender], clock=clock, random=NoTurnPauses(), chore=chore)
    with running(relay):
        eventually(lambda: chores == [NOW] and listed(database, "waiting")[0].reason)
        clock.pass_(timedelta(hours=-2))
        signed_up(database, now=clock.now)
        eventually(lambda: chores == [NOW, clock.now] and len(listed(database, "sent")) == 1)


def test_expired_rows_are_deleted(database: Database) -> None:
    """A running relay deletes expired counts of attempts and idempotency records."""
    clock = Clock()

    def work(connection: Connection) -> None:
        count_attempt(connection, "key", Limit(1, 60), NOW)
        idempotency.begin(connection, Ticket("key", "fingerprint"), NOW)

    database.write(work)
    clock.pass_(idempotency.LIFETIME)
    with running(Relay(database, COMPOSER, [Signalling()], clock=clock, random=NoPauses(), chore=KEEPING.tidy_up)):
        eventually(lambda: not rows(database, tables.attempt) and not rows(database, tables.idempotency))

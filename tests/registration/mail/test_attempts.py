"""One mail's trouble is its own: slow, silent and rude mail servers, and relays that stop meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from socket import create_server, socket
from threading import Event, Thread, Timer
from uuid import UUID

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from structlog.testing import capture_logs

from harness.ports import HOST, free_port
from registration.mail import listing
from registration.mail.message import Message
from registration.mail.outbox import LEASE
from registration.mail.relay import LONGEST, Relay
from registration.mail.senders import open_sender
from registration.mail.smtp import Manners, TimeLimits
from registration.mail.transport import AboutUs, Broken, Deferred, Outcome, Sent, Unknown
from registration.settings import Settings
from registration.storage.database import Database, open_database
from tests.registration.mail.messages import short_message
from tests.registration.mail.relays import (
    COMPOSER,
    RANDOM,
    Clock,
    NoPauses,
    ScriptedSender,
    due,
    listed,
    relay_of,
    running,
)
from tests.registration.mail.scripted_server import Script
from tests.registration.people import NOW, signed_up
from tests.waiting import eventually, wait_for


class Poisoned:
    """A handler of aiosmtpd that hangs up at mails to poison@example.org, and keeps the others."""

    def __init__(self, step: str) -> None:
        self.step = step
        self.kept: list[str] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.step == "RCPT" and address.startswith("poison"):
            hang_up(server)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        [address] = envelope.rcpt_tos
        if address.startswith("poison"):
            hang_up(server)
        else:
            self.kept.append(address)
        return "250 OK"


def hang_up(server: SMTP) -> None:
    assert server.transport
    server.transport.close()


@contextmanager
def listening(handler: Poisoned) -> Iterator[str]:
    controller = Controller(handler, hostname=HOST, port=free_port())
    controller.start()
    try:
        yield f"smtp://{HOST}:{controller.port}"
    finally:
        controller.stop()


@pytest.mark.parametrize("step", ["RCPT", "DATA"])
def test_a_mail_at_which_the_server_hangs_up_holds_up_no_other(database: Database, step: str) -> None:
    """Mails behind one at which the server hangs up are sent before that one is tried again."""
    for number in range(30):
        signed_up(database, email=f"poison{number}@example.org" if number < 15 else f"good{number}@example.org")
    handler = Poisoned(step)
    with listening(handler) as url:
        clock = Clock()
        relay = relay_of(database, open_sender(url), clock)
        while len(listed(database, "sent")) < 15 or not all(entry.reason for entry in listed(database, "waiting")):
            relay.run_once()
            clock.pass_(timedelta(seconds=15))
    assert len(handler.kept) == len(listed(database, "sent")) == 15
    # Some may have been given back before they were tried.
    assert {entry.reason for entry in listed(database, "waiting")} - {None} == {
        f"the connection broke at {'recipient' if step == 'RCPT' else 'content'}: "
        "SMTPServerDisconnected: Connection unexpectedly closed"
    }


def test_three_mails_in_a_row_end_a_turn(database: Database) -> None:
    """When three mails in a row fail through no fault of their recipients, the others are given back until later."""
    for _ in range(200):
        signed_up(database)
    sender = ScriptedSender(lambda mail_id: Broken("hung up"))
    relay_of(database, sender).run_once()
    assert len(sender.handed) == 3
    assert {entry.due_at for entry in listed(database, "waiting") if entry.id not in sender.handed} == {NOW}


def test_giving_up_is_counted_from_the_retry(database: Database) -> None:
    """A mail that an operator queued again days later is not given up at the next failure."""
    signed_up(database)
    clock = Clock()
    relay = relay_of(database, ScriptedSender(lambda mail_id: Deferred("451")), clock)
    for _ in range(2):
        relay.run_once()
        clock.pass_(timedelta(days=4))
    assert len(listed(database, "parked")) == 1
    database.write(lambda connection: listing.retry_mails(connection, clock.now))
    relay.run_once()
    assert [entry.reason for entry in listed(database, "waiting")] == ["451"]


def test_the_age_of_a_mail_gives_none_up(database: Database) -> None:
    """A mail that no relay looked at for days is not given up at its first failure."""
    signed_up(database)
    clock = Clock()
    clock.pass_(timedelta(days=10))
    relay_of(database, ScriptedSender(lambda mail_id: Deferred("451")), clock).run_once()
    assert [entry.reason for entry in listed(database, "waiting")] == ["451"]


class Slow(ScriptedSender):
    """A sender whose server says nothing until it is released, or the connection is broken off."""

    def __init__(self, outcome: Outcome, outcome_of_abort: Outcome) -> None:
        super().__init__()
        self.is_waiting, self.released = Event(), Event()
        self.outcome = outcome
        self._outcome_of_abort = outcome_of_abort

    def send(self, mail_id: UUID, message: Message) -> Outcome:
        self.handed.append(mail_id)
        self.is_waiting.set()
        wait_for(self.released)
        return self.outcome

    def abort(self) -> None:
        self.outcome = self._outcome_of_abort
        self.released.set()


def test_the_lease_of_a_mail_outlasts_a_slow_server(database: Database) -> None:
    """While a mail server takes its time, no other relay gets the mail, also when the clock is set back."""
    signed_up(database)
    clock, slow, other = Clock(), Slow(Sent(), Broken("")), ScriptedSender()
    sending = Thread(target=relay_of(database, slow, clock).run_once)
    sending.start()
    wait_for(slow.is_waiting)
    for passed in [LEASE * 0.9] * 4 + [timedelta(hours=-2)]:
        clock.pass_(passed)
        eventually(lambda: [entry.due_at for entry in listed(database, "waiting")] == [clock.now + LEASE])
        assert relay_of(database, other, clock).run_once() == 0
    slow.released.set()
    sending.join()
    assert (slow.handed, other.handed) == ([entry.id for entry in listed(database, "sent")], [])


def test_a_server_that_does_not_end_is_broken_off(database: Database) -> None:
    """A server that keeps a mail under way for longer than any reply may take is broken off."""
    signed_up(database)
    clock, slow = Clock(), Slow(Sent(), AboutUs("connection failed"))
    sending = Thread(target=relay_of(database, slow, clock).run_once)
    sending.start()
    wait_for(slow.is_waiting)
    before = clock.calls
    eventually(lambda: clock.calls >= before + 2)
    assert not slow.released.is_set()
    clock.pass_(LONGEST)
    sending.join()
    assert [entry.reason for entry in listed(database, "waiting")] == ["broken off by the relay"]


def test_a_line_that_was_broken_off_is_not_used_again(database: Database) -> None:
    """The mail after one that was broken off goes over a new connection, and what becomes of it is its own."""
    for _ in range(2):
        signed_up(database)

    class CountingSessions(Slow):
        sessions = 0

        @contextmanager
        def session(self) -> Iterator[ScriptedSender]:
            self.sessions += 1
            yield self

    clock, slow = Clock(), CountingSessions(Sent(), AboutUs("connection failed"))
    sending = Thread(target=relay_of(database, slow, clock).run_once)
    sending.start()
    wait_for(slow.is_waiting)
    clock.pass_(LONGEST)
    sending.join()
    reasons = {entry.id: entry.reason for entry in listed(database, "waiting")}
    assert [reasons[each] for each in slow.handed] == ["broken off by the relay", "ours to mend: connection failed"]
    assert slow.sessions == 2


def test_a_lease_that_cannot_be_renewed_does_not_end_the_mail(sqlite_url: str) -> None:
    """While the database is locked, a lease cannot be renewed; the mail goes on, and is settled afterwards."""
    database, other = open_database(sqlite_url, wait=0.05), open_database(sqlite_url)
    signed_up(database)
    clock, slow = Clock(), Slow(Sent(), Broken(""))
    relay = relay_of(database, slow, clock)
    sending = Thread(target=relay.run_once)
    sending.start()
    wait_for(slow.is_waiting)
    with capture_logs() as logs:
        clock.pass_(LEASE / 2)
        other.write(lambda connection: eventually(lambda: "leases not renewed" in str(logs)))
    slow.released.set()
    sending.join()
    assert len(listed(database, "sent")) == 1
    database.close()
    other.close()


@pytest.mark.parametrize("verb", ["GREET", "EHLO", "MAIL", "RCPT", "DATA"])
def test_a_relay_stops_although_the_mail_server_is_slow(database: Database, verb: str) -> None:
    """A relay that stops while the server says nothing breaks the mail off and gives it back, due at once."""
    signed_up(database)
    silence = Event()
    with Script({verb: silence}) as server:
        relay = Relay(database, COMPOSER, [open_sender(server.url)], clock=Clock(), random=NoPauses(), stop_seconds=0)
        with running(relay):
            wait_for(server.waiting)
        silence.set()
    assert [(entry.due_at, entry.reason) for entry in listed(database, "waiting")] == [(NOW, None)]


def test_a_relay_that_stops_does_not_repeat_what_may_have_arrived(database: Database) -> None:
    """A relay that stops after the server was sent the content lets the mail wait: it may have arrived."""
    signed_up(database)
    silence = Event()
    with Script({".": silence}) as server:
        relay = Relay(database, COMPOSER, [open_sender(server.url)], clock=Clock(), random=RANDOM, stop_seconds=0)
        with running(relay):
            wait_for(server.waiting)
        silence.set()
    [entry] = listed(database, "waiting")
    assert due(entry) >= NOW + timedelta(minutes=5)


def test_a_relay_that_stops_leaves_a_name_that_cannot_be_looked_up(database: Database) -> None:
    """What cannot be broken off, like the look-up of a name, is left to itself; the mail is given back."""

    class Deaf(Slow):
        def abort(self) -> None:
            """Nothing ends it."""

    signed_up(database)
    deaf = Deaf(Sent(), Sent())
    with running(Relay(database, COMPOSER, [deaf], clock=Clock(), random=NoPauses(), stop_seconds=0)):
        wait_for(deaf.is_waiting)
    assert [(entry.due_at, entry.reason) for entry in listed(database, "waiting")] == [(NOW, None)]
    deaf.released.set()


def test_a_session_that_was_broken_off_sends_nothing() -> None:
    """A session that is broken off before it has a connection carries no mail afterwards."""
    with Script({}) as server, open_sender(server.url).session() as session:
        session.abort()
        outcome = session.send(UUID(int=1), short_message())
    assert isinstance(outcome, Broken)


def send(server: str, limits: TimeLimits) -> Outcome:
    with open_sender(server, manners=Manners(limits)).session() as session:
        return session.send(UUID(int=1), short_message())


@pytest.mark.long
@pytest.mark.parametrize(
    ("verb", "limits"),
    [
        ("GREET", TimeLimits(connect=1, reply=600, end=600)),
        ("RCPT", TimeLimits(connect=1, reply=600, end=1)),
        (".", TimeLimits(connect=3, reply=3, end=600)),
    ],
)
def test_each_wait_has_its_own_limit(verb: str, limits: TimeLimits) -> None:
    """A reply may take longer than a connection, and the last word on a mail longer than both."""
    late = Event()
    with Script({verb: late}) as server:
        timer = Timer(4, late.set)
        timer.start()
        assert send(server.url, limits) == Sent()
        timer.join()


def test_a_server_that_says_nothing_is_given_up() -> None:
    """A server that is silent at first is about us; one that is silent at last may have the mail."""
    silence = Event()
    for script, kind in (({"GREET": silence}, AboutUs), ({".": silence}, Unknown)):
        with Script(script) as server:
            assert isinstance(send(server.url, TimeLimits(reply=1, end=1)), kind)
            silence.set()
        silence.clear()


def test_a_dead_server_is_found_soon() -> None:
    """A server that takes no connection is given up after the limit of a connection, which is the shortest."""
    with create_server((HOST, 0), backlog=0) as full, socket() as one, socket() as two:
        for taken in (one, two):  # so many wait to be accepted that the kernel takes no further one
            taken.setblocking(False)
            with suppress(BlockingIOError):
                taken.connect(full.getsockname())
        outcome = send(f"smtp://{HOST}:{full.getsockname()[1]}", TimeLimits(connect=0.1, reply=600, end=600))
    assert outcome == AboutUs("connection failed: TimeoutError: timed out")


def test_the_defaults_are_those_of_the_rfc() -> None:
    """By default a reply has five minutes, and the last word ten (RFC 5321, 4.5.3.2); a connection has seconds."""
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert (defaults["mail_reply_seconds"], defaults["mail_end_seconds"]) == (300, 600)
    assert defaults["mail_connect_seconds"] <= 30
    assert TimeLimits() == TimeLimits(10, 300, 600)

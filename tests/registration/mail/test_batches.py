"""Mails that are claimed together for a quick server, and wait for a connection."""

from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from uuid import UUID

import pytest

from registration.mail.relay import HELD, Relay
from registration.mail.servers import BATCH, QUICK
from registration.mail.transport import AboutUs, Outcome, Sent
from registration.storage.database import Database
from registration.storage.tables import mail
from tests.registration.mail.relays import COMPOSER, RANDOM, Clock, ScriptedSender, listed
from tests.registration.people import NOW, signed_up
from tests.registration.stored import rows
from tests.waiting import eventually

NUMBER = BATCH + 10


def one_connection(database: Database, sender: ScriptedSender, clock: Clock) -> Relay:
    for _ in range(NUMBER):
        signed_up(database)
    return Relay(database, COMPOSER, [sender], clock=clock, random=RANDOM, connections=1)


def claimed(database: Database) -> int:
    """How many mails were ever claimed."""
    return sum(row["attempts"] > 0 for row in rows(database, mail))


@pytest.mark.parametrize(("took", "number"), [(QUICK, 1 + BATCH), (QUICK + timedelta(milliseconds=1), 2)])
def test_a_batch_is_claimed_for_a_quick_server(database: Database, took: timedelta, number: int) -> None:
    """After a mail that was quick a batch is claimed at once; after a slow one as many as there are connections."""
    clock = Clock()
    seen: list[int] = []

    def take(_mail_id: UUID) -> Outcome:
        if len(sender.handed) == 2:
            seen.append(claimed(database))
        clock.pass_(took)
        return Sent()

    sender = ScriptedSender(take)
    one_connection(database, sender, clock).run_once()
    assert seen == [number]
    assert len(sender.handed) == len(set(sender.handed)) == len(listed(database, "sent")) == NUMBER


def test_a_batch_is_settled_while_it_leaves(database: Database) -> None:
    """What was sent is settled soon, though other mails of its batch wait for a connection."""

    def take(_mail_id: UUID) -> Outcome:
        if len(sender.handed) == 5:
            eventually(lambda: len(listed(database, "sent")) == 4)
        return Sent()

    sender = ScriptedSender(take)
    one_connection(database, sender, Clock()).run_once()
    assert len(listed(database, "sent")) == NUMBER


def test_a_batch_is_given_back_when_its_server_becomes_slow(database: Database) -> None:
    """Mails that have waited long for a connection are due again, for any relay; all leave in the end."""
    clock = Clock()

    def take(mail_id: UUID) -> Outcome:
        if len(sender.handed) == 2:
            assert claimed(database) == 1 + BATCH
            clock.pass_(HELD)
            eventually(lambda: held_by_relays(database) == {mail_id})
        return Sent()

    sender = ScriptedSender(take)
    one_connection(database, sender, clock).run_once()
    assert len(sender.handed) == len(listed(database, "sent")) == NUMBER


def held_by_relays(database: Database) -> set[object]:
    """The ids of the waiting mails that no relay can claim before the lease of another ends."""
    waiting = (row for row in rows(database, mail) if row["status"] == "waiting")
    return {row["id"] for row in waiting if row["due_at"] > NOW + HELD}


def test_a_batch_is_given_back_when_its_server_rests(database: Database) -> None:
    """A server that takes no mail any more is not given the rest of the batch."""
    sender = ScriptedSender(lambda mail_id: Sent() if len(sender.handed) < 3 else AboutUs("down"))
    one_connection(database, sender, Clock()).run_once()
    assert len(sender.handed) == 3
    assert [entry.reason for entry in listed(database, "waiting") if entry.due_at != NOW] == ["ours to mend: down"]


@pytest.mark.parametrize("run", [Relay.run, Relay.run_once])
def test_a_relay_that_stops_gives_its_batch_back(database: Database, run: Callable[[Relay], object]) -> None:
    """What waits for a connection when the relay stops is due at once."""

    def take(_mail_id: UUID) -> Outcome:
        if len(sender.handed) == 2:
            assert claimed(database) == 1 + BATCH
            relay.stop()
        return Sent()

    sender = ScriptedSender(take)
    relay = one_connection(database, sender, Clock())
    sending = Thread(target=run, args=[relay])
    sending.start()
    sending.join()
    assert len(sender.handed) == len(listed(database, "sent")) == 2
    assert {entry.due_at for entry in listed(database, "waiting")} == {NOW}

"""Many connections at once, to one mail server and to several."""

from queue import SimpleQueue
from threading import Barrier, Event, Thread
from threading import enumerate as enumerate_threads
from uuid import UUID

import pytest

from harness.smtp import SmtpServer
from registration.mail import connections
from registration.mail.message import Message
from registration.mail.outbox import LEASE
from registration.mail.relay import CONNECTIONS, Relay
from registration.mail.senders import open_sender
from registration.mail.servers import Servers
from registration.mail.transport import AboutUs, Broken, Outcome, Sender, Sent
from registration.storage.database import Database
from registration.storage.tables import mail
from tests.registration.mail.relays import COMPOSER, RANDOM, Clock, ScriptedSender, listed, relay_of
from tests.registration.mail.scripted_server import Script
from tests.registration.people import NOW, signed_up
from tests.registration.stored import rows
from tests.waiting import PATIENCE, eventually, wait_for


def fill(database: Database, number: int) -> None:
    for _ in range(number):
        signed_up(database)


def one_connection(database: Database, sender: Sender) -> Relay:
    return Relay(database, COMPOSER, [sender], clock=Clock(), random=RANDOM, connections=1)


def test_as_many_mails_go_at_once_as_there_are_connections(database: Database) -> None:
    """After the first mail was taken, each of the connections carries one at the same time."""
    fill(database, CONNECTIONS + 1)
    together = Barrier(CONNECTIONS)

    def meet(_mail_id: UUID) -> Outcome:
        if len(sender.handed) > 1:
            together.wait(PATIENCE)
        return Sent()

    sender = ScriptedSender(meet)
    assert relay_of(database, sender).run_once() == CONNECTIONS + 1
    assert len(listed(database, "sent")) == CONNECTIONS + 1


def test_a_connection_carries_many_mails(database: Database) -> None:
    """A connection stays open for the mails that follow."""
    fill(database, 5)
    with Script({}) as server:
        one_connection(database, open_sender(server.url)).run_once()
        assert (server.connections, sum(line.startswith("mail") for line in server.heard)) == (1, 5)


@pytest.mark.parametrize(("constant", "value"), [("MAILS_A_CONNECTION", 2), ("IDLE_SECONDS", 0.0)])
def test_a_connection_ends(database: Database, monkeypatch: pytest.MonkeyPatch, constant: str, value: float) -> None:
    """A connection that has carried many mails, or that idles, is closed politely, and a new one opens."""
    monkeypatch.setattr(connections, constant, value)
    fill(database, 3)
    with Script({}) as server:
        one_connection(database, open_sender(server.url)).run_once()
        assert server.connections == (2 if value else 3)
        assert server.heard.count("quit") == server.connections
    assert len(listed(database, "sent")) == 3


def test_a_connection_that_has_not_begun_can_be_broken_off() -> None:
    """There is nothing to end where no mail was handed over yet."""
    connection = connections.MailConnection(ScriptedSender(), SimpleQueue())
    connection.abort()
    assert connection.is_aborted
    connection.close()
    connection.join(PATIENCE)


def test_a_line_that_is_left_to_itself_ends() -> None:
    """The thread of a connection that is not used again ends, as soon as nothing is under way there."""
    before = set(enumerate_threads())
    connection = connections.MailConnection(ScriptedSender(), SimpleQueue())
    [thread] = set(enumerate_threads()) - before
    Servers([ScriptedSender()], 1, RANDOM).leave(connection)
    connection.join(PATIENCE)
    assert not thread.is_alive()


def test_mails_are_spread_over_servers(database: Database) -> None:
    """Two servers get about as many mails each."""
    fill(database, 40)
    one, two = ScriptedSender(), ScriptedSender()
    relay_of(database, one, None, two).run_once()
    assert len(one.handed) + len(two.handed) == len({*one.handed, *two.handed}) == 40
    assert min(len(one.handed), len(two.handed)) >= 10


def test_another_server_takes_the_mails_of_one_that_is_down(database: Database) -> None:
    """A mail that a server cannot take, as no other, goes to another server at once; none waits."""
    fill(database, 20)
    down, up = ScriptedSender(lambda mail_id: AboutUs("connection failed")), ScriptedSender()
    assert relay_of(database, down, None, up).run_once() == 21
    assert len(down.handed) == 1
    assert len(up.handed) == len(listed(database, "sent")) == 20


def test_servers_that_are_all_down_keep_the_mails_waiting(database: Database) -> None:
    """When no server is left, a mail waits as with one server."""
    fill(database, 1)
    senders = [ScriptedSender(lambda mail_id: AboutUs("down")) for _ in range(2)]
    relay = relay_of(database, senders[0], None, senders[1])
    relay.run_once()
    assert [len(sender.handed) for sender in senders] == [1, 1]
    assert [entry.reason for entry in listed(database, "waiting")] == ["ours to mend: down"]


def test_a_slow_server_holds_up_no_mail_of_another(database: Database) -> None:
    """Mails leave through one server while another says nothing."""
    fill(database, 20)
    released = Event()

    def hang(_mail_id: UUID) -> Outcome:
        wait_for(released)
        return Sent()

    slow, quick = ScriptedSender(hang), ScriptedSender()
    sending = Thread(target=relay_of(database, slow, None, quick).run_once)
    sending.start()
    eventually(lambda: len(listed(database, "sent")) == 19)
    released.set()
    sending.join()
    assert (len(slow.handed), len(quick.handed)) == (1, 19)


def test_a_batch_that_dies_half_way_loses_none(database: Database, smtp: SmtpServer) -> None:
    """When a relay dies amid a batch, its mails are sent after their lease, twice at most."""
    fill(database, 10)
    real = open_sender(smtp.url)

    class Dying(ScriptedSender):
        def send(self, mail_id: UUID, message: Message) -> Outcome:
            with real.session() as session:
                session.send(mail_id, message)
            self.handed.append(mail_id)
            if len(self.handed) > 4:
                raise SystemExit  # as a killed process: nothing after it is written
            return Sent()

    clock = Clock()
    with pytest.raises(SystemExit):
        relay_of(database, Dying(), clock).run_once()
    eventually(lambda: len(smtp.messages) >= 5)
    assert relay_of(database, real, clock).run_once() + len(listed(database, "sent")) <= 10
    clock.pass_(LEASE)
    relay_of(database, real, clock).run_once()
    sent = {f"<{entry.id}@shop.example>" for entry in listed(database, "sent")}
    assert len(sent) == 10
    assert {message["Message-ID"] for message in smtp.messages} == sent
    tries = {f"<{row['id']}@shop.example>": row["attempts"] for row in rows(database, mail)}
    arrived = [message["Message-ID"] for message in smtp.messages]
    assert all(arrived.count(each) <= tries[each] for each in sent)


def test_mails_that_break_together_put_their_server_to_rest(database: Database) -> None:
    """When mails of several connections break, the server rests, and the mails that were not tried stay as they are."""
    fill(database, 30)
    sender = ScriptedSender(lambda mail_id: Sent() if len(sender.handed) == 1 else Broken("hung up"))
    relay_of(database, sender).run_once()
    assert 4 <= len(sender.handed) <= 1 + 2 + CONNECTIONS
    untried = [entry for entry in listed(database, "waiting") if entry.id not in sender.handed]
    assert {(entry.due_at, entry.reason) for entry in untried} == {(NOW, None)}

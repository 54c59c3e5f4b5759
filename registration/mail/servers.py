"""The mail servers of a relay: which of them takes the next mail, and which rest after a failure."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from random import Random

from registration.mail.connections import Ended, MailConnection, Task
from registration.mail.transport import AboutUs, Broken, Outcome, Sender, Sent, Unknown

TROUBLES = 3
"""After so many mails in a row that failed through no fault of their recipients, a server rests."""
GATHER_SECONDS = 0.005
"""How long to wait, after one send has ended, for others to end, so that they are settled together."""
BATCH = 64
"""Mails that are claimed at once for a quick server: that costs little more than to claim one."""
QUICK = timedelta(seconds=0.2)
"""What a quick server takes for a mail, at most; over 8 connections a batch then leaves within two seconds."""
CLOSE_SECONDS = 2.0
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pause:
    """A time to wait; it is over, too, when the clock has been set back to before its beginning."""

    began: datetime = LONG_AGO
    length: timedelta = timedelta()

    def lasts(self, now: datetime) -> bool:
        return self.began <= now < self.began + self.length


class Server:
    """One mail server and the connections to it. Until it takes a mail it is given one at a time, also after a rest."""

    def __init__(self, sender: Sender, max_connections: int, ends: "SimpleQueue[Ended | None]") -> None:
        self.connections: list[MailConnection] = []
        self.mails = 0
        self._sender = sender
        self._max_connections = max_connections
        self._ends = ends
        self._rest = Pause()
        self._is_proven = False
        self._is_quick = False
        self._troubles = 0  # in a row

    def room(self, now: datetime) -> int:
        """How many mails it can be given."""
        if self.rests(now):
            return 0
        return max(0, (self._max_connections if self._is_proven else 1) - self.busy)

    def appetite(self, now: datetime) -> int:
        """How many mails to claim for it; no more than it can be given unless it is quick."""
        room = self.room(now)
        return max(room, BATCH) if room and self._is_quick else room

    def rests(self, now: datetime) -> bool:
        return self._rest.lasts(now)

    @property
    def busy(self) -> int:
        return sum(connection.task is not None for connection in self.connections)

    def send(self, task: Task) -> None:
        free = next((connection for connection in self.connections if connection.task is None), None)
        if free is None:
            free = MailConnection(self._sender, self._ends)
            self.connections.append(free)
        self.mails += 1
        free.send(task)

    def note(self, outcome: Outcome, took: timedelta, rest: Pause) -> bool:
        """Learn from an outcome; True when the server has this rest now, because other mails fare no better."""
        self._is_quick = isinstance(outcome, Sent) and took <= QUICK
        if not isinstance(outcome, AboutUs | Broken | Unknown):
            self._is_proven, self._troubles = True, 0
            return False
        self._troubles += 1
        if self._troubles < TROUBLES and not (isinstance(outcome, AboutUs) and outcome.is_for_all):
            return False
        self._rest, self._is_proven = rest, False
        return True


class Servers:
    """All mail servers; mails go to the one with the fewest on their way."""

    def __init__(self, senders: Sequence[Sender], connections: int, random: Random) -> None:
        self._ends: SimpleQueue[Ended | None] = SimpleQueue()
        self._servers = [Server(sender, connections, self._ends) for sender in senders]
        self._random = random

    def room(self, now: datetime) -> int:
        """How many mails can be sent now."""
        return sum(server.room(now) for server in self._servers)

    def appetite(self, now: datetime) -> int:
        """How many mails to claim; some of them wait for a connection where servers are quick."""
        return sum(server.appetite(now) for server in self._servers)

    def rest(self, now: datetime) -> bool:
        """Whether all servers rest."""
        return all(server.rests(now) for server in self._servers)

    def send(self, task: Task) -> None:
        """Begin to send; call it for no more mails than there is room."""
        open_ones = [server for server in self._servers if server.room(task.began)]
        min(open_ones, key=lambda server: (server.busy, server.mails)).send(task)

    def under_way(self) -> list[MailConnection]:
        return [connection for server in self._servers for connection in server.connections if connection.task]

    def ended(self, seconds: float) -> list[Ended]:
        """What ends in so many seconds, or soon after the first end; `interrupt` ends the wait, too."""
        found = []
        try:
            found.append(self._ends.get(timeout=seconds))
            if self._ends.empty():
                time.sleep(GATHER_SECONDS)
            while True:
                found.append(self._ends.get_nowait())
        except Empty:
            # A connection that was left to itself has no task any more.
            return [each for each in found if each and each.connection.task]

    def interrupt(self) -> None:
        """For other threads."""
        self._ends.put(None)

    def note(self, connection: MailConnection, outcome: Outcome, now: datetime, took: timedelta) -> bool:
        """Learn from an outcome, and how long it took; True when the connection's server rests now."""
        rest = Pause(now, timedelta(seconds=self._random.uniform(5, 15)))
        server = next(each for each in self._servers if connection in each.connections)
        return server.note(outcome, took, rest)

    def leave(self, connection: MailConnection) -> None:
        """Leave a connection to itself that was broken off."""
        connection.task = None
        connection.close()
        for server in self._servers:
            server.connections = [each for each in server.connections if each is not connection]

    def close(self) -> None:
        """Close the connections; those that are needed again open again."""
        connections = [connection for server in self._servers for connection in server.connections]
        for connection in connections:
            connection.close()
        end = time.monotonic() + CLOSE_SECONDS
        for connection in connections:
            connection.join(max(0, end - time.monotonic()))
        for server in self._servers:
            server.connections = []

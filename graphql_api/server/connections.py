"""The connections of a process: how many there may be, in all and of one client, and how long an answer lies unread.

Where one more would be too many, the connection that has waited longest for its client is closed, so that idle ones
keep no other client out. Where none waits, the new one is surplus: it may only ask whether the process is alive and
ready.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Protocol

import structlog

from graphql_api.server.throttle import Throttle
from registration.limits.payers import client_of

PROBES = frozenset({b"/healthz", b"/readyz"})
"""Paths that are answered however many connections there are."""

RESERVE = 64
"""Surplus connections; beyond them the oldest is closed."""

SWEEP_SECONDS = 5.0
LOG_PAUSE_SECONDS = 60.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """`per_client` is 0 where a client may have any number. Peers in `proxies` bring the requests of many clients."""

    total: int = sys.maxsize
    per_client: int = 0
    proxies: Sequence[IPv4Network | IPv6Network] = ()


class Connection(Protocol):
    def abort(self) -> None:
        """Close at once, and drop what has not been sent."""

    def is_stalled(self, now: float) -> bool:
        """Whether the client has read nothing of an answer for too long. `now` is in seconds of one clock."""


@dataclass(slots=True)
class _Client:
    """One client's connections, and those of them that wait for it, the longest first."""

    name: str
    open: int = 0
    waiting: dict[Connection, None] = field(default_factory=dict)


class Unread:
    """How long a client has read nothing of the answers that wait for it, seen from time to time."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._unsent = 0
        self._since = 0.0
        self.has_read = False
        """Set by the connection when what waited has been taken."""

    def is_too_long(self, unsent: int, now: float) -> bool:
        """`unsent` is in bytes, `now` in seconds."""
        before, self._unsent = self._unsent, unsent
        if not before or unsent < before or self.has_read:
            self._since, self.has_read = now, False
        return unsent > 0 and now - self._since >= self._longest


class Connections:
    """Belongs to one event loop. `clock` counts seconds."""

    def __init__(
        self,
        limits: ConnectionLimits,
        clock: Callable[[], float] = time.monotonic,
        sweep_seconds: float = SWEEP_SECONDS,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._sweep_seconds = sweep_seconds
        self._clients: dict[str, _Client] = {}
        self._open: dict[Connection, _Client] = {}
        self._waiting: dict[Connection, None] = {}
        self._surplus: dict[Connection, None] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._lines = Throttle(LOG_PAUSE_SECONDS, clock)

    def enter(self, connection: Connection, ip: str) -> bool:
        """Count a new connection; False when it is surplus. It waits for its client from now on."""
        name = client_of(ip)
        client = self._clients.get(name) or _Client(name)
        has_room = self._make_room(client, self._limits.per_client if not self._is_proxy(ip) else 0)
        self._clients[client.name] = self._open[connection] = client
        client.open += 1
        self._sweep_later()
        if has_room:
            self.waits(connection)
        else:
            if len(self._surplus) >= RESERVE:
                self._close(next(iter(self._surplus)))
            self._surplus[connection] = None
        return has_room

    def waits(self, connection: Connection) -> None:
        """The connection waits for a request, or for the rest of one, from now on."""
        client = self._open.get(connection)
        if client and connection not in self._surplus:
            self._waiting[connection] = client.waiting[connection] = None

    def works(self, connection: Connection) -> None:
        """The connection has a whole request, and the client waits for us."""
        if connection in self._waiting:
            del self._waiting[connection], self._open[connection].waiting[connection]

    def leave(self, connection: Connection) -> None:
        """The connection is closed; does nothing for one that has left already."""
        self.works(connection)
        self._surplus.pop(connection, None)
        client = self._open.pop(connection, None)
        if client:
            client.open -= 1
            if not client.open:
                del self._clients[client.name]
        if not self._open and self._sweeper:
            self._sweeper.cancel()
            self._sweeper = None

    def sweep(self) -> None:
        """Close connections whose clients do not read; reschedules itself while connections are open."""
        now = self._clock()
        stalled = [connection for connection in self._open if connection.is_stalled(now)]
        for connection in stalled:
            self._close(connection)
        if stalled:
            log.warning("closed connections whose clients do not read", connections=len(stalled))
        self._sweeper = None
        if self._open:
            self._sweep_later()

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._sweep_seconds, self.sweep)

    def _is_proxy(self, ip: str) -> bool:
        try:
            address = ip_address(ip)
        except ValueError:  # a Unix socket
            return False
        address = (address.version == 6 and address.ipv4_mapped) or address
        return any(address in network for network in self._limits.proxies)

    def _make_room(self, client: _Client, most: int) -> bool:
        """Whether one more connection of this client may be open, perhaps because another has just been closed."""
        if 0 < most <= client.open and not self._close_longest(client.waiting):
            return False
        is_full = len(self._open) - len(self._surplus) >= self._limits.total
        return not is_full or self._close_longest(self._waiting)

    def _close_longest(self, waiting: dict[Connection, None]) -> bool:
        self._tell()
        for connection in waiting:
            self._close(connection)
            return True
        return False

    def _close(self, connection: Connection) -> None:
        self.leave(connection)
        connection.abort()

    def _tell(self) -> None:
        """Log that there are too many, at most once in LOG_PAUSE_SECONDS."""
        if not self._lines.count():
            return
        limits = {"limit": self._limits.total, "limit_of_a_client": self._limits.per_client}
        log.warning("too many connections: closing those that wait longest", open=len(self._open), **limits)

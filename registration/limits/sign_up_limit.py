"""The sign-up limit: how many sign-ups a client may send in an hour, counted in the transaction that writes them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from threading import Lock

from cachetools import LRUCache
from sqlalchemy import Connection

from registration.keys.secret import Secret
from registration.limits.attempts import Limit, count_attempts
from registration.outcomes import TooManyAttempts

REMEMBERED_CLIENTS = 10_000


class SignUpLimit:
    """Counts in the database, so that the limit holds for all nodes together; `per_hour` 0 is no limit.

    A client that was refused is remembered in this process until its hour ends: its next sign-ups cost no hash and no
    statement. Safe for any thread.
    """

    def __init__(self, per_hour: int = 0) -> None:
        self._limit = Limit(per_hour, 3600) if per_hour else None
        self._refused: LRUCache[str, datetime] = LRUCache(REMEMBERED_CLIENTS)
        self._lock = Lock()

    @property
    def is_on(self) -> bool:
        return self._limit is not None

    def refusal(self, client_ip: str, now: datetime) -> TooManyAttempts | None:
        """The refusal of a client that this process remembers; None when it remembers none."""
        with self._lock:
            ends_at = self._refused.get(client_ip)
        return None if ends_at is None or ends_at <= now else TooManyAttempts.until(ends_at, now)

    def count(
        self, connection: Connection, secret: Secret, client_ips: Sequence[str], now: datetime
    ) -> list[TooManyAttempts | None]:
        """Count a sign-up for each client, inside the caller's transaction; a refusal or None, in their order."""
        assert self._limit is not None
        numbers = Counter(client_ips)
        keys = {client_ip: secret.derive("sign-up attempts", client_ip) for client_ip in sorted(numbers)}
        counted = count_attempts(connection, {keys[each]: number for each, number in numbers.items()}, self._limit, now)
        places = {client_ip: counted[keys[client_ip]].count - number for client_ip, number in numbers.items()}
        outcomes: list[TooManyAttempts | None] = []
        for client_ip in client_ips:
            places[client_ip] += 1
            is_within = places[client_ip] <= self._limit.count
            ends_at = counted[keys[client_ip]].window_ends_at
            outcomes.append(None if is_within else TooManyAttempts.until(ends_at, now))
        return outcomes

    def remember(self, outcomes: Mapping[str, object], now: datetime) -> None:
        """Remember the clients that were refused, given their outcomes; call this after the commit."""
        refused = {client_ip: each for client_ip, each in outcomes.items() if isinstance(each, TooManyAttempts)}
        with self._lock:
            for client_ip, refusal in refused.items():
                self._refused[client_ip] = now + timedelta(seconds=refusal.retry_after_seconds)

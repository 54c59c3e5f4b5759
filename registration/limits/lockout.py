"""The lock-out: how many wrong passwords one client may send for one address.

An attempt is counted before the password is verified, so that attempts at the same moment are limited as successive
ones are; it is given back if the password was right. Success resets nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import Protocol

import structlog
from sqlalchemy import Connection, delete, select, update

from registration.keys.secret import Secret
from registration.limits.attempts import Limit, count_attempts, uncount_attempts
from registration.limits.payers import client_of
from registration.storage.database import Database, Unavailable
from registration.storage.tables import attempt

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LockoutTerms:
    """`failures` in the `window`, which begins with the first of them, are followed by the `block`."""

    failures: int = 9
    window: timedelta = timedelta(seconds=900)
    block: timedelta = timedelta(seconds=360)


@dataclass(frozen=True, slots=True)
class Taken:
    """An attempt may be made; when the `last` one fails, the block begins."""

    last: bool


@dataclass(frozen=True, slots=True)
class Blocked:
    """No attempt may be made for this many seconds."""

    seconds: int


class Lockout(Protocol):
    """Where attempts are counted. Every method raises Unavailable when that place does not answer.

    Pass a connection only where `in_database`: the method then joins the caller's transaction.
    """

    @property
    def in_database(self) -> bool: ...

    def take(self, keys: Sequence[str], connection: Connection | None = None) -> list[Taken | Blocked]:
        """Count an attempt for each key before it is made; a key may be there several times."""
        ...

    def blocked(self, key: str) -> Blocked | None:
        """The block of a key; None when an attempt may be made. Counts nothing."""
        ...

    def give_back(self, keys: Sequence[str], connection: Connection | None = None) -> None:
        """Take back attempts that were no failures, one for each key."""
        ...

    def block(self, key: str) -> None:
        """Begin the block, after the last attempt failed."""
        ...

    def forget(self, prefix: str) -> None:
        """Delete the counts of all keys with this prefix."""
        ...

    def close(self) -> None: ...


def attempt_prefix(secret: Secret, email_key: str) -> str:
    """The prefix of an address's keys, whatever the client: erasure needs it."""
    return secret.derive("sign-in attempts of an address", email_key)[:32]


def attempt_key(secret: Secret, email_key: str, client_ip: str) -> str:
    return attempt_prefix(secret, email_key) + secret.derive("sign-in attempts", email_key, client_of(client_ip))[:32]


def end_lock_out(lockout: Lockout, secret: Secret, email_key: str) -> None:
    """Delete the counts of an address. Raises Unavailable."""
    for each in secret.versions():
        lockout.forget(attempt_prefix(each, email_key))


def forget_attempts(lockout: Lockout, secret: Secret, email_key: str) -> None:
    """As `end_lock_out`, for an address whose owner has proven its mailbox.

    An outage of the server that counts is logged only: what the owner did is done, and the counts end by themselves.
    """
    try:
        end_lock_out(lockout, secret, email_key)
    except Unavailable as outage:
        log.warning("lockout.not_forgotten", reason=str(outage))


@contextmanager
def outages_logged() -> Iterator[None]:
    """Change counts after the outcome is decided: an outage is logged only, because the counts end by themselves."""
    try:
        yield
    except Unavailable as outage:
        log.warning("counts not settled", reason=str(outage))


class DatabaseLockout:
    """Counts in the table `attempt`."""

    def __init__(self, database: Database, terms: LockoutTerms, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._terms = terms
        self._clock = clock

    @property
    def in_database(self) -> bool:
        return True

    def take(self, keys: Sequence[str], connection: Connection | None = None) -> list[Taken | Blocked]:
        if connection is None:
            return self._database.write(partial(self.take, keys))
        turns: dict[int, Taken | Blocked] = {}
        places = dict(enumerate(keys))
        while places:  # once, unless a key is there several times: each attempt must learn whether it is the last
            first = {key: place for place, key in reversed(places.items())}
            turns |= zip(first.values(), self._take(connection, list(first)), strict=True)
            places = {place: key for place, key in places.items() if place not in turns}
        return [turns[place] for place in range(len(keys))]

    def _take(self, connection: Connection, keys: Sequence[str]) -> Iterator[Taken | Blocked]:
        """Count an attempt for each of different keys."""
        now, failures = self._clock(), self._terms.failures
        limit = Limit(failures, int(self._terms.window.total_seconds()))
        counted = count_attempts(connection, dict.fromkeys(keys, (1, limit)), now, most=failures)
        for key in keys:
            if key in counted:
                yield Taken(last=counted[key].count == failures)
            else:
                blocked = self._blocked(connection, key, now)
                assert blocked is not None
                yield blocked

    def blocked(self, key: str) -> Blocked | None:
        return self._database.read(lambda connection: self._blocked(connection, key, self._clock()))

    def _blocked(self, connection: Connection, key: str, now: datetime) -> Blocked | None:
        is_full = attempt.c.count >= self._terms.failures
        ends_at = connection.execute(
            select(attempt.c.window_ends_at).where(attempt.c.key == key, is_full, attempt.c.window_ends_at > now)
        ).scalar_one_or_none()
        return None if ends_at is None else Blocked(max(1, ceil((ends_at - now).total_seconds())))

    def give_back(self, keys: Sequence[str], connection: Connection | None = None) -> None:
        if connection is None:
            self._database.write(partial(self.give_back, keys))
        else:
            uncount_attempts(connection, sorted(keys))

    def block(self, key: str) -> None:
        ends_at = self._clock() + self._terms.block
        self._database.write(
            lambda connection: connection.execute(
                update(attempt).where(attempt.c.key == key).values(window_ends_at=ends_at)
            )
        )

    def forget(self, prefix: str) -> None:
        self._database.write(
            lambda connection: connection.execute(
                delete(attempt).where(attempt.c.key.startswith(prefix, autoescape=True))
            )
        )

    def close(self) -> None:
        """Leave the database open, which the services close."""

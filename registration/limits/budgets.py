"""Budgets: how many sign-ups, hashes, mails and guesses a client, network or mailbox may cause (decision 0028).

They are counted in the table `attempt`, or in the server of GATEWAY_ATTEMPTS_URL, so that they hold for all nodes
together. The table is written in the transaction of what is charged; the server counts before it begins, and takes
back what a transaction that fails was charged.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache, partial
from threading import Lock
from typing import Protocol, assert_never

import structlog
from cachetools import LRUCache
from sqlalchemy import Connection

from registration.keys.secret import Secret
from registration.limits.attempts import Counted, Limit, count_attempts, uncount_attempts
from registration.limits.payers import client_of, mailbox_of, wide_network_of
from registration.outcomes import TooManyAttempts
from registration.storage.database import Database

REMEMBERED_KEYS = 20_000

log = structlog.get_logger(__name__)


class Cost(StrEnum):
    """The costs that operations cause."""

    SIGN_UP = "sign-up"
    HASH = "hash"
    MAIL = "mail"
    GUESS = "guess"


class Payer(StrEnum):
    """The kinds of budgets: of a client, a network, a mailbox, or of all together."""

    CLIENT = "client"
    NETWORK = "network"
    MAILBOX = "mailbox"
    ALL = "all"


@dataclass(frozen=True, slots=True, eq=False)  # by identity: a budget is looked up for every bill
class Budget:
    """How many of a cost one payer may have in a window."""

    cost: Cost
    payer: Payer
    limit: Limit


@dataclass(frozen=True, slots=True)
class Bill:
    """What one operation costs, the client that asks for it, and the key of the address that gets a mail."""

    costs: frozenset[Cost]
    client_ip: str = field(repr=False)
    email_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Charged:
    """The result of charging a bill: for each key over its budget, when its window ends; usually empty."""

    used_up: Mapping[str, datetime] = field(default_factory=dict)

    def refusal(self, now: datetime) -> TooManyAttempts | None:
        return TooManyAttempts.until(max(self.used_up.values()), now) if self.used_up else None


class CountServer(Protocol):
    """Where budgets are counted beside the database. Its methods raise Unavailable when it does not answer."""

    def count(self, numbers: Mapping[str, tuple[int, Limit]], now: datetime) -> Mapping[str, Counted]:
        """Add the number of each key to its count, in one step, as `count_attempts` does."""
        ...

    def uncount(self, numbers: Mapping[str, int]) -> None:
        """Take the number of each key from its count, in one step."""
        ...

    def close(self) -> None: ...


Charge = Callable[[Connection], list[Charged]]
"""To be called in the transaction of what is charged, at its beginning."""


class Budgets:
    """The budgets of an installation; for any thread. Without budgets nothing is counted.

    Without a server they are counted in the database.
    """

    def __init__(self, budgets: Iterable[Budget] = (), server: CountServer | None = None) -> None:
        self._budgets = tuple(budget for budget in budgets if budget.limit.count)
        self._server = server
        self._used_up: LRUCache[str, datetime] = LRUCache(REMEMBERED_KEYS)
        self._lock = Lock()

    @property
    def are_on(self) -> bool:
        return bool(self._budgets)

    @property
    def in_database(self) -> bool:
        return self._server is None

    def remembered(self, secret: Secret, bill: Bill, now: datetime) -> TooManyAttempts | None:
        """What a client is told at once where this process knows that a budget of the bill is used up."""
        if not self._used_up:
            return None
        with self._lock:
            ends = {key: self._used_up.get(key) for key in self._keys(secret, bill)}
        return Charged({key: end for key, end in ends.items() if end and end > now}).refusal(now)

    @contextmanager
    def charging(self, secret: Secret, bills: Sequence[Bill], now: datetime) -> Iterator[Charge]:
        """Count every bill, in order; the transaction inside the block calls the function for what came of them.

        The counts of a transaction that fails are taken back. A refused bill still counts against the budgets of its
        other payers.
        """
        keys = [self._keys(secret, bill) for bill in bills]
        if self._server is None:
            yield lambda connection: _charge(partial(count_attempts, connection), keys, now)
            return
        charged = _charge(self._server.count, keys, now)
        try:
            yield lambda _connection: charged
        except BaseException:
            self._server.uncount(_numbers(keys))
            raise

    def charge_alone(
        self, database: Database, secret: Secret, bills: Sequence[Bill], now: datetime
    ) -> list[TooManyAttempts | None]:
        """Count bills that have no transaction, in order; None for one that is within all budgets."""
        if self._server:
            keys = [self._keys(secret, bill) for bill in bills]
            return [charged.refusal(now) for charged in _charge(self._server.count, keys, now)]
        return database.write(lambda connection: self.charge_in(connection, secret, bills, now))

    def charge_in(
        self, connection: Connection, secret: Secret, bills: Sequence[Bill], now: datetime
    ) -> list[TooManyAttempts | None]:
        """As `charge_alone`, in the caller's transaction; only where the database counts."""
        keys = [self._keys(secret, bill) for bill in bills]
        return [charged.refusal(now) for charged in _charge(partial(count_attempts, connection), keys, now)]

    def remember(self, charged: Iterable[Charged]) -> None:
        """To be called when the charges are committed: the next bills for a used-up budget cost no statement."""
        with self._lock:
            for each in charged:
                self._used_up.update(each.used_up)

    def give_back(self, connection: Connection, secret: Secret, bills: Sequence[Bill]) -> None:
        """Take bills back inside the caller's transaction: guesses that were right. `settle` follows its commit.

        In the order in which they are counted.
        """
        if self._server is None:
            uncount_attempts(connection, sorted(key for bill in bills for key in self._keys(secret, bill)))

    def settle(self, secret: Secret, bills: Sequence[Bill]) -> None:
        """Take the bills back where the server counts."""
        if self._server:
            self._server.uncount(_numbers([self._keys(secret, bill) for bill in bills]))

    def close(self) -> None:
        if self._server:
            self._server.close()

    def _keys(self, secret: Secret, bill: Bill) -> dict[str, Budget]:
        """The keys that a bill is counted under, with their budgets."""
        return {
            key: budget
            for budget in self._budgets
            if budget.cost in bill.costs and (key := _key(secret, budget, bill)) is not None
        }


def mailbox_mark(secret: Secret, email_key: str) -> str:
    """What the keys of a mailbox begin with, whatever is counted: erasure needs it. 32 hex characters."""
    return secret.derive("budgets of a mailbox", mailbox_of(email_key))[:32]


def _key(secret: Secret, budget: Budget, bill: Bill) -> str | None:
    """64 hex characters; None where the bill has no payer of this kind."""
    match budget.payer:
        case Payer.CLIENT:
            return _derived(secret, budget, client_of(bill.client_ip))
        case Payer.NETWORK:
            network = wide_network_of(bill.client_ip)
            return network and _derived(secret, budget, network)
        case Payer.MAILBOX:
            key = bill.email_key
            return key and mailbox_mark(secret, key) + _derived(secret, budget, "")[:32]
        case Payer.ALL:
            return _derived(secret, budget, "")
    assert_never(budget.payer)


@lru_cache(1_000)  # the bills of a batch have few clients
def _derived(secret: Secret, budget: Budget, payer: str) -> str:
    return secret.derive("budget", budget.cost, budget.payer, str(budget.limit.seconds), payer)


def _charge(
    count: Callable[[Mapping[str, tuple[int, Limit]], datetime], Mapping[str, Counted]],
    keys: Sequence[Mapping[str, Budget]],
    now: datetime,
) -> list[Charged]:
    """Count bills, given by their keys; all of them in one step."""
    limits = {key: budget.limit for each in keys for key, budget in each.items()}
    numbers = _numbers(keys)
    counted = count({key: (number, limits[key]) for key, number in numbers.items()}, now)
    places = {key: counted[key].count - number for key, number in numbers.items()}
    return [_judge(each, places, counted) for each in keys]


def _numbers(keys: Sequence[Mapping[str, Budget]]) -> Counter[str]:
    return Counter(key for each in keys for key in each)


def _judge(keys: Mapping[str, Budget], places: dict[str, int], counted: Mapping[str, Counted]) -> Charged:
    """`places` is how many there were before this bill, by key; it grows. The first one too many is logged."""
    used_up = {}
    for key, budget in keys.items():
        places[key] += 1
        if places[key] > budget.limit.count:
            used_up[key] = counted[key].window_ends_at
        if places[key] == budget.limit.count + 1:
            log.warning("budget used up", cost=budget.cost, payer=budget.payer)
    return Charged(used_up)

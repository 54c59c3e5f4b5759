"""Budgets: how much of what is costly one client, network or mailbox may have us do in a while (decision 0028).

They are counted in the table `attempt`, so that they hold for all nodes together.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from threading import Lock
from typing import assert_never

import structlog
from cachetools import LRUCache
from sqlalchemy import Connection

from registration.keys.secret import Secret
from registration.limits.attempts import Counted, Limit, count_attempts, uncount_attempt
from registration.limits.payers import client_of, mailbox_of, wide_network_of
from registration.outcomes import TooManyAttempts

REMEMBERED_KEYS = 20_000

log = structlog.get_logger(__name__)


class Cost(StrEnum):
    """What an operation has us do."""

    SIGN_UP = "sign-up"
    HASH = "hash"
    MAIL = "mail"
    GUESS = "guess"


class Payer(StrEnum):
    """Whose budget a cost is taken from."""

    CLIENT = "client"
    NETWORK = "network"
    MAILBOX = "mailbox"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so many of a cost for one payer in a window."""

    cost: Cost
    payer: Payer
    limit: Limit


@dataclass(frozen=True, slots=True)
class Bill:
    """What one operation costs, the client that asks for it, and the key of the address that gets a mail."""

    costs: frozenset[Cost]
    client_ip: str
    email_key: str | None = None


@dataclass(frozen=True, slots=True)
class Charged:
    """What came of a bill: the moment at which each key ends whose budget is used up. None are the usual case."""

    used_up: Mapping[str, datetime] = field(default_factory=dict)

    def refusal(self, now: datetime) -> TooManyAttempts | None:
        return TooManyAttempts.until(max(self.used_up.values()), now) if self.used_up else None


class Budgets:
    """The budgets of an installation; for any thread. Without budgets nothing is counted."""

    def __init__(self, budgets: Iterable[Budget] = ()) -> None:
        self._budgets = tuple(budget for budget in budgets if budget.limit.count)
        self._used_up: LRUCache[str, datetime] = LRUCache(REMEMBERED_KEYS)
        self._lock = Lock()

    @property
    def are_on(self) -> bool:
        return bool(self._budgets)

    def remembered(self, secret: Secret, bill: Bill, now: datetime) -> TooManyAttempts | None:
        """What a client is told at once where this process knows that a budget of the bill is used up."""
        if not self._used_up:
            return None
        with self._lock:
            ends = {key: self._used_up.get(key) for key in self._keys(secret, bill)}
        return Charged({key: end for key, end in ends.items() if end and end > now}).refusal(now)

    def charge(self, connection: Connection, secret: Secret, bills: Sequence[Bill], now: datetime) -> list[Charged]:
        """Count every bill inside the caller's transaction, in order. Locks the counts until that ends.

        A bill beyond a budget is counted, too: budgets of other payers do not depend on who was refused.
        """
        keys = [self._keys(secret, bill) for bill in bills]
        numbers = Counter(key for each in keys for key in each)
        limits = {key: budget.limit for each in keys for key, budget in each.items()}
        counted = count_attempts(connection, {key: (number, limits[key]) for key, number in numbers.items()}, now)
        places = {key: counted[key].count - number for key, number in numbers.items()}
        return [_judge(each, places, counted) for each in keys]

    def remember(self, charged: Iterable[Charged]) -> None:
        """To be called when the charges are committed: the next bills for a used-up budget cost no statement."""
        with self._lock:
            for each in charged:
                self._used_up.update(each.used_up)

    def charge_one(self, connection: Connection, secret: Secret, bill: Bill, now: datetime) -> TooManyAttempts | None:
        """Count one bill inside the caller's transaction; None when it is within all budgets."""
        if not self.are_on:
            return None
        [charged] = self.charge(connection, secret, [bill], now)
        return charged.refusal(now)

    def give_back(self, connection: Connection, secret: Secret, bill: Bill) -> None:
        """Take a bill back inside the caller's transaction: a guess that was right."""
        for key in sorted(self._keys(secret, bill)):
            uncount_attempt(connection, key)

    def _keys(self, secret: Secret, bill: Bill) -> dict[str, Budget]:
        """The keys of the table `attempt` for a bill, with their budgets."""
        return {
            _key(secret, budget, payer): budget
            for budget in self._budgets
            if budget.cost in bill.costs and (payer := _payer(budget.payer, bill)) is not None
        }


def mailbox_mark(secret: Secret, email_key: str) -> str:
    """What the keys of a mailbox begin with, whatever is counted: erasure needs it. 32 hex characters."""
    return secret.derive("budgets of a mailbox", mailbox_of(email_key))[:32]


def _key(secret: Secret, budget: Budget, payer: str) -> str:
    counted = secret.derive("budget", budget.cost, budget.payer, str(budget.limit.seconds), payer)
    return mailbox_mark(secret, payer) + counted[:32] if budget.payer is Payer.MAILBOX else counted


def _payer(kind: Payer, bill: Bill) -> str | None:
    """None where the bill has no payer of this kind."""
    match kind:
        case Payer.CLIENT:
            return client_of(bill.client_ip)
        case Payer.NETWORK:
            return wide_network_of(bill.client_ip)
        case Payer.MAILBOX:
            return bill.email_key and mailbox_of(bill.email_key)
        case Payer.ALL:
            return ""
    assert_never(kind)


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

"""Attempts to sign in: counted, and their customers looked up, before any password is hashed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select

from registration.addresses.holders import NO_CUSTOMER
from registration.limits.lockout import Blocked, outages_logged
from registration.outcomes import TooManyAttempts
from registration.services import Services
from registration.sessions.devices import Device
from registration.sessions.guesses import charge_guesses, give_guesses_back_alone
from registration.storage.database import wait_briefly
from registration.storage.tables import customer, email_claim

# Built once, because building takes as long as running them.
HOLDERS = select(email_claim.c.address, email_claim.c.customer_id).where(
    email_claim.c.address.in_(bindparam("held", expanding=True))
)
CUSTOMERS: Select[Any] = select(
    customer.c.id,
    customer.c.reference,
    customer.c.email,
    customer.c.password_hash,
    customer.c.created_at,
    customer.c.confirmed_at,
    customer.c.blocked_at,
    customer.c.password_changed_at,
).where(customer.c.id.in_(bindparam("wanted", expanding=True)))


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to sign in. `email_key` is None when the text is no address."""

    email_key: str | None = field(repr=False)
    lockout_key: str = field(repr=False)
    client_ip: str = field(repr=False)
    device: Device
    correlation_id: str = ""
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """What is known before the hash: `customer_row` is None when no customer has the address."""

    customer_row: Row[Any] | None = field(repr=False)
    is_last: bool
    """Whether the block begins when this attempt fails."""


def begin(
    services: Services, attempts: Sequence[Attempt], lock_wait: float | None = None
) -> list[Begun | TooManyAttempts]:
    """Count attempts, hashes and guesses, and find the customers: one transaction where the database counts.

    Raises Locked when another transaction holds a count for longer than `lock_wait` seconds.
    """
    if not (services.lockout.in_database and services.budgets.in_database):
        return _begin(services, attempts)

    def work(connection: Connection) -> list[Begun | TooManyAttempts]:
        if lock_wait is not None:
            wait_briefly(connection, lock_wait)
        return _begin(services, attempts, connection)

    return services.database.write(work)


def take_back(services: Services, attempts: Sequence[Attempt], _lock_wait: float | None = None) -> list[None]:
    """Uncount attempts, and their guesses, whose clients were told nothing of their passwords. No outage is raised."""
    with outages_logged():
        services.lockout.give_back([each.lockout_key for each in attempts])
    with outages_logged():
        give_guesses_back_alone(services, [each.client_ip for each in attempts])
    return [None] * len(attempts)


def _begin(
    services: Services, attempts: Sequence[Attempt], connection: Connection | None = None
) -> list[Begun | TooManyAttempts]:
    # Before the counting: an outage of the database then leaves nothing counted in another server.
    found = _find_customers(services, attempts, connection)
    turns = services.lockout.take([each.lockout_key for each in attempts], connection)
    # All guesses after all attempts: a sign-up counts hashes, too, and nothing before them.
    allowed = [each for each, turn in zip(attempts, turns, strict=True) if not isinstance(turn, Blocked)]
    refusals = charge_guesses(services, [each.client_ip for each in allowed], connection)
    refused = [each.lockout_key for each, refusal in zip(allowed, refusals, strict=True) if refusal]
    services.lockout.give_back(refused, connection)
    rest = iter(refusals)
    begun: list[Begun | TooManyAttempts] = []
    for turn, customer_row in zip(turns, found, strict=True):
        if isinstance(turn, Blocked):
            begun.append(TooManyAttempts(turn.seconds))
        else:
            begun.append(next(rest) or Begun(customer_row, turn.last))
    return begun


def _find_customers(
    services: Services, attempts: Sequence[Attempt], connection: Connection | None
) -> list[Row[Any] | None]:
    """Two look-ups, because an address and its customer may lie on different nodes; both for any address."""
    keys = [each.email_key or "" for each in attempts]
    if connection is None:
        return services.database.read(lambda reading: _customers_of(reading, keys))
    return _customers_of(connection, keys)


def _customers_of(connection: Connection, email_keys: Sequence[str]) -> list[Row[Any] | None]:
    holders = {each.address: each.customer_id for each in connection.execute(HOLDERS, {"held": email_keys})}
    # As many ids as addresses: those that no customer has cost as much.
    wanted = [holders.get(email_key, NO_CUSTOMER) for email_key in email_keys]
    rows = {row.id: row for row in connection.execute(CUSTOMERS, {"wanted": wanted})}
    return [rows.get(holder) for holder in wanted]

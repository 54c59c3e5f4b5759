"""What a client pays for trying a password: a hash and a guess; a right guess is given back (decision 0028)."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from registration.limits.budgets import Bill, Cost
from registration.outcomes import TooManyAttempts
from registration.services import Services


def charge_guesses(
    services: Services, client_ips: Sequence[str], connection: Connection | None = None
) -> list[TooManyAttempts | None]:
    """Count a hash and a guess for each of these clients; None where both are within the budgets.

    Inside the caller's transaction, if one is given: only where the database counts.
    """
    if not services.budgets.are_on:
        return [None] * len(client_ips)
    budgets, secret, now = services.budgets, services.secret, services.clock()
    bills = [Bill(frozenset({Cost.HASH, Cost.GUESS}), client_ip) for client_ip in client_ips]
    known = [budgets.remembered(secret, bill, now) for bill in bills]
    others = [bill for bill, refusal in zip(bills, known, strict=True) if refusal is None]
    if connection is None:
        charged = iter(budgets.charge_alone(services.database, secret, others, now))
    else:
        charged = iter(budgets.charge_in(connection, secret, others, now))
    return [refusal or next(charged) for refusal in known]


def give_guesses_back(connection: Connection, services: Services, client_ips: Iterable[str]) -> None:
    """Inside the caller's transaction: the guesses were right. `settle_guesses` follows its commit."""
    services.budgets.give_back(connection, services.secret, _guesses(client_ips))


def settle_guesses(services: Services, client_ips: Iterable[str]) -> None:
    """After the transaction: not inside it, because that may run twice, and holds locks."""
    services.budgets.settle(services.secret, _guesses(client_ips))


def give_guesses_back_alone(services: Services, client_ips: Sequence[str]) -> None:
    """As both of these, in a transaction of its own, which only a database that counts needs. Raises Unavailable."""
    if services.budgets.are_on and services.budgets.in_database:
        services.database.write(lambda connection: give_guesses_back(connection, services, client_ips))
    settle_guesses(services, client_ips)


def _guesses(client_ips: Iterable[str]) -> list[Bill]:
    return [Bill(frozenset({Cost.GUESS}), client_ip) for client_ip in client_ips]

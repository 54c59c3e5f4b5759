"""What a client pays for trying a password: a hash and a guess; a right guess is given back (decision 0028)."""

from sqlalchemy import Connection

from registration.limits.budgets import Bill, Cost
from registration.outcomes import TooManyAttempts
from registration.services import Services


def charge_guess(services: Services, client_ip: str, connection: Connection | None = None) -> TooManyAttempts | None:
    """Count a hash and a guess; None when both are within the budgets.

    Inside the caller's transaction, if one is given: only where the database counts.
    """
    if not services.budgets.are_on:
        return None
    bill, now = Bill(frozenset({Cost.HASH, Cost.GUESS}), client_ip), services.clock()
    if refusal := services.budgets.remembered(services.secret, bill, now):
        return refusal
    if connection is not None:
        return services.budgets.charge_in(connection, services.secret, bill, now)
    return services.budgets.charge_alone(services.database, services.secret, bill, now)


def give_guess_back(connection: Connection, services: Services, client_ip: str) -> None:
    """Inside the caller's transaction: the guess was right. `settle_guess` follows its commit."""
    services.budgets.give_back(connection, services.secret, _guess(client_ip))


def settle_guess(services: Services, client_ip: str) -> None:
    """After the transaction: not inside it, because that may run twice, and holds locks."""
    services.budgets.settle(services.secret, _guess(client_ip))


def _guess(client_ip: str) -> Bill:
    return Bill(frozenset({Cost.GUESS}), client_ip)

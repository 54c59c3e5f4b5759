"""What a client pays for trying a password: a hash and a guess; a right guess is given back (decision 0028)."""

from sqlalchemy import Connection

from registration.limits.budgets import Bill, Cost
from registration.outcomes import TooManyAttempts
from registration.services import Services


def charge_guess(services: Services, client_ip: str) -> TooManyAttempts | None:
    """Count a hash and a guess in a transaction of its own; None when both are within the budgets."""
    if not services.budgets.are_on:
        return None
    bill, now = Bill(frozenset({Cost.HASH, Cost.GUESS}), client_ip), services.clock()
    return services.budgets.remembered(services.secret, bill, now) or services.database.write(
        lambda connection: services.budgets.charge_one(connection, services.secret, bill, now)
    )


def give_guess_back(connection: Connection, services: Services, client_ip: str) -> None:
    """Inside the caller's transaction: the guess was right."""
    services.budgets.give_back(connection, services.secret, Bill(frozenset({Cost.GUESS}), client_ip))

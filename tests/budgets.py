"""Budgets for tests."""

from registration.limits.attempts import Limit
from registration.limits.budgets import Budget, Budgets, Cost, Payer


def sign_up_budget(count: int) -> Budgets:
    """So many sign-ups an hour for a client, and no other budget."""
    return Budgets([Budget(Cost.SIGN_UP, Payer.CLIENT, Limit(count, 3600))])

"""Forgets an address that a customer has no more; it never looks at rows that name the customer by id."""

from sqlalchemy import Connection, delete, func

from registration import audit
from registration.address_limits import address_mark
from registration.lockout import attempt_prefix
from registration.services import Services
from registration.tables import attempt, email_change


def forget_address(connection: Connection, services: Services, address: str) -> None:
    """Inside the caller's transaction: what was counted for an address, and what strangers typed or asked for."""
    for mark in (address_mark(services.secret, address), attempt_prefix(services.secret, address)):
        connection.execute(delete(attempt).where(attempt.c.key.startswith(mark)))
    connection.execute(delete(email_change).where(func.lower(email_change.c.email) == address))
    audit.forget_address(connection, address)

"""Forgets an address that a customer has no more; it never looks at rows that name the customer by id."""

from sqlalchemy import Connection, delete, func, select

from registration.limits.address_limits import address_mark
from registration.limits.lockout import attempt_prefix
from registration.records import audit
from registration.rules.address import email_key
from registration.services import Services
from registration.storage.tables import attempt, email_change


def forget_address(connection: Connection, services: Services, address: str) -> None:
    """Inside the caller's transaction: what was counted for an address, and what strangers typed or asked for."""
    for mark in (address_mark(services.secret, address), attempt_prefix(services.secret, address)):
        connection.execute(delete(attempt).where(attempt.c.key.startswith(mark)))
    connection.execute(delete(email_change).where(email_change.c.email.in_(_waiting_forms(connection, address))))
    audit.forget_address(connection, address)


def _waiting_forms(connection: Connection, address: str) -> list[str]:
    """The address as it was typed in other accounts."""
    local = address.rpartition("@")[0]
    # Engines know upper and lower case of ASCII only, so where there is more they find nothing: all are looked at.
    beginning = f"{local}@" if local.isascii() else ""
    alike = func.lower(email_change.c.email).startswith(beginning, autoescape=True)
    waiting = connection.scalars(select(email_change.c.email).where(alike))
    return [email for email in waiting if email_key(email) == address]

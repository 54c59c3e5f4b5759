"""Forgetting an address that a customer has no longer: the rows that hold it, or a value derived from it."""

from itertools import product

from sqlalchemy import Connection, delete, func, select

from registration.keys.secret import Secret
from registration.limits.address_counts import address_mark
from registration.limits.budgets import mailbox_mark
from registration.limits.lockout import attempt_prefix
from registration.records import audit
from registration.rules.address import email_key
from registration.storage.tables import attempt, email_change


def forget_address(connection: Connection, secret: Secret, address: str) -> None:
    """Delete the counts of an address and the changes to it, and null it in audit rows without a customer.

    Runs inside the caller's transaction; `address` is given as its key. Rows with the customer's id are left to the
    caller.
    """
    for version, derive in product(secret.versions(), (address_mark, attempt_prefix, mailbox_mark)):
        connection.execute(delete(attempt).where(attempt.c.key.startswith(derive(version, address))))
    connection.execute(delete(email_change).where(email_change.c.email.in_(_waiting_forms(connection, address))))
    audit.forget_address(connection, address)


def _waiting_forms(connection: Connection, address: str) -> list[str]:
    """The spellings of an address, given as its key, in the changes of address that wait for their proof."""
    local = address.rpartition("@")[0]
    # The engines' `lower` knows ASCII only: for any other local part, all changes that wait are compared below.
    beginning = f"{local}@" if local.isascii() else ""
    alike = func.lower(email_change.c.email).startswith(beginning, autoescape=True)
    waiting = connection.scalars(select(email_change.c.email).where(alike))
    return [email for email in waiting if email_key(email) == address]

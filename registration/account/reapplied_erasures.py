"""Erasures of the ledger, made again in a database that was restored from a backup of before."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, exists, select

from registration.account.erasure import erase, forget_counts
from registration.keys.secret import Secret
from registration.records.audit import AuditKind
from registration.records.ledger import NO_LEDGER, Entries, mark_of
from registration.services import Services
from registration.storage.tables import audit, customer

AT_A_TIME = 1000  # rows
Found: TypeAlias = tuple[Row[Any, Any, Any], datetime]
CLOCKS_DIFFER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Reapplied:
    """How many customers of the database were not erased, and how many of them are now.

    `spared` are the references of customers that signed in after the moment of their entry: the gateway was killed
    between the entry and its commit, so that the erasure did not take place, and they went on.
    """

    seen: int
    erased: int
    spared: list[str]


def reapply(services: Services, key: Secret, entries: Entries) -> Reapplied:
    """Erase the customers that the ledger names, each in a transaction; may be repeated. Raises Unavailable."""
    seen, found = services.database.read(partial(_find, key=key, entries=entries))
    # The ledger has them already.
    again = replace(services, ledger=NO_LEDGER)
    spared = [row.reference for row, moment in found if not _erase_again(again, row, moment)]
    services.database.empty_log()
    return Reapplied(seen, len(found) - len(spared), spared)


def _find(connection: Connection, key: Secret, entries: Entries) -> tuple[int, list[Found]]:
    living = select(customer.c.id, customer.c.reference, customer.c.email).where(customer.c.anonymized_at.is_(None))
    seen = 0
    found: list[Found] = []
    for row in connection.execute(living, execution_options={"yield_per": AT_A_TIME}):
        seen += 1
        if moment := entries.erased.get(mark_of(key, row.id)):
            found.append((row, moment))
    return seen, found


def _erase_again(services: Services, row: Row[Any, Any, Any], moment: datetime) -> bool:
    """False when the customer signed in later, and is left."""
    is_later = (audit.c.kind == AuditKind.SIGN_IN) & (audit.c.created_at > moment + CLOCKS_DIFFER)
    went_on = select(exists().where(audit.c.customer_id == row.id, is_later))
    if services.database.read(lambda connection: connection.execute(went_on).scalar_one()):
        return False
    forget_counts(services, row.email)
    services.database.write(partial(erase, services, row.id))
    return True

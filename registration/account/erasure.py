"""Erasure: the customer's row stays, the person goes, in one transaction; it never asks why."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, select, update

from registration.addresses.forgetting import forget_address
from registration.limits.lockout import attempt_prefix
from registration.outcomes import BadCredentials, Done, ErasureOutcome
from registration.passwords.stored import verified_hash
from registration.records import audit
from registration.records.audit import AuditKind
from registration.records.events import record_event
from registration.rules.address import address_key
from registration.services import Services
from registration.sessions.access_tokens import Caller
from registration.storage.tables import (
    confirmation_token,
    customer,
    email_change,
    email_claim,
    idempotency,
    mail,
    refresh_token,
    reset_token,
    session,
)

# Sessions before their tokens: a refresh that is under way holds its session, and has written its token by then.
OWNED = (email_claim, confirmation_token, reset_token, email_change, mail, idempotency, session, refresh_token)


def anonymize(services: Services, caller: Caller, password: str | None) -> ErasureOutcome:
    """Erase the caller; a password, which need not be given, must be the right one."""
    if password is not None and verified_hash(services, caller.customer.id, password) is None:
        return BadCredentials()
    # First, because it may count in a server of its own, whose outage then leaves everything as it was.
    services.lockout.forget(attempt_prefix(services.secret, str(address_key(caller.customer.email))))
    services.database.write(partial(_erase, services, caller.customer.id))
    services.database.empty_log()
    return Done()


def _erase(services: Services, customer_id: UUID, connection: Connection) -> None:
    person = connection.execute(
        select(customer).where(customer.c.id == customer_id, customer.c.anonymized_at.is_(None)).with_for_update()
    ).one_or_none()
    if person is None:  # another request was faster
        return
    now = services.clock()
    connection.execute(update(customer).where(customer.c.id == customer_id).values(_nobody(services, now)))
    addresses = _addresses(connection, person)
    for table in OWNED:
        connection.execute(delete(table).where(table.c.customer_id == customer_id))
    # After the sessions: a refresh that is under way may have recorded that its token was used twice.
    for address in addresses:
        audit.forget_person(connection, customer_id, address)
        forget_address(connection, services, address)
    # Not from where: that would name the person again.
    audit.record(connection, services, AuditKind.ERASE, customer_id, now)
    record_event(connection, services, "customer.erased", customer_id, now)


def _nobody(services: Services, now: datetime) -> dict[str, object]:
    """What the row holds of a person from now on.

    The legacy system keeps the password's hash. We do not: it is derived from what a person knows and may use
    elsewhere, nobody can sign in with it, and no answer ever showed it.
    """
    name, host, domain = (services.new_id().hex for _ in range(3))
    return {
        "email": f"{name}@{host}.{domain}",
        "salutation": None,
        "first_name": None,
        "last_name": None,
        "gender": None,
        "date_of_birth": None,
        "password_hash": "",
        "updated_at": now,
        "anonymized_at": now,
    }


def _addresses(connection: Connection, person: Row[Any]) -> list[str]:
    """The person's address, the one that waits for its proof, and former ones unless somebody else has them now."""
    waiting = connection.scalars(select(email_change.c.email).where(email_change.c.customer_id == person.id))
    former = audit.former_addresses(connection, person.id)
    others = connection.scalars(select(email_claim.c.address).where(email_claim.c.address.in_(former))).all()
    return [str(address_key(email)) for email in (person.email, *waiting)] + [*set(former).difference(others)]

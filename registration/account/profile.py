"""The profile of who is signed in: what is sent changes at once, but for the address; it never changes a password."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select, update

from registration.account.email_change import park, pending_change
from registration.customer import customer_of
from registration.outcomes import Gone, Invalid, Updated, UpdateOutcome
from registration.records import audit
from registration.records.audit import AuditKind
from registration.records.events import record_event
from registration.rules.account import update_violations
from registration.rules.address import address_key
from registration.rules.attributes import as_date
from registration.services import Services
from registration.sessions.access_tokens import Caller
from registration.storage.tables import customer

COLUMNS = {
    "email": "email",
    "salutation": "salutation",
    "firstName": "first_name",
    "lastName": "last_name",
    "gender": "gender",
}


def update_profile(services: Services, caller: Caller, raw: Mapping[str, object], client_address: str) -> UpdateOutcome:
    """Change the attributes that are there, all of them or none; another address is parked until it is proven."""
    violations = update_violations(raw, services.policy)
    if violations:
        return Invalid(tuple(violations))
    outcome = services.database.write(partial(_update, services, caller.customer.id, raw, client_address))
    services.mail_posted()
    return outcome


def _update(
    services: Services, customer_id: UUID, raw: Mapping[str, object], client_address: str, connection: Connection
) -> UpdateOutcome:
    person = connection.execute(
        select(customer).where(customer.c.id == customer_id, customer.c.anonymized_at.is_(None)).with_for_update()
    ).one_or_none()
    if person is None:
        return Gone()
    values = _values(raw)
    if "email" in raw and address_key(str(raw["email"])) != address_key(person.email):
        refused = park(connection, services, person, str(values.pop("email")), client_address)
        if refused:
            return refused
    return _updated(connection, services, _write(connection, services, person, values, client_address))


def _values(raw: Mapping[str, object]) -> dict[str, object]:
    values = {column: raw[name] for name, column in COLUMNS.items() if name in raw}
    if "dateOfBirth" in raw:
        values["date_of_birth"] = as_date(raw["dateOfBirth"])
    return values


def _write(
    connection: Connection, services: Services, person: Row[Any], values: Mapping[str, object], client_address: str
) -> Row[Any]:
    changed = {column: value for column, value in values.items() if value != person._mapping[column]}
    if not changed:
        return person
    now = services.clock()
    record_event(connection, services, "customer.updated", person.id, now)
    audit.record(connection, services, AuditKind.PROFILE_CHANGE, person.id, now, client_address=client_address)
    statement = update(customer).where(customer.c.id == person.id).values(**changed, updated_at=now)
    return connection.execute(statement.returning(customer)).one()


def _updated(connection: Connection, services: Services, person: Row[Any]) -> Updated:
    pending = pending_change(connection, person.id, services.clock())
    if pending is None:
        return Updated(customer_of(person))
    return Updated(customer_of(person), pending.email, pending.confirm_before)

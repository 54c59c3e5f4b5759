"""The profile of a signed-in customer: attributes change at once, a new address waits for its proof."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, select, update

from registration.account.email_change import PendingChange, pending_change, request_change
from registration.customer import customer_of
from registration.limits.budgets import Bill, Cost
from registration.outcomes import (
    BadCredentials,
    Gone,
    Invalid,
    Stage,
    TooManyAttempts,
    Updated,
    UpdateOutcome,
    Violation,
    ViolationCode,
)
from registration.passwords.stored import verified_hash
from registration.records import audit
from registration.records.audit import AuditKind
from registration.records.events import EventKind, record_event
from registration.rules.account import ProfileChanges, read_profile_changes
from registration.rules.address import EmailAddress, key_of_stored
from registration.services import Services
from registration.sessions.access_tokens import Caller
from registration.sessions.sessions import is_open
from registration.storage.tables import customer

# A sign-in so young proves as much as the password would.
RECENT = timedelta(minutes=10)


def update_profile(
    services: Services,
    caller: Caller,
    raw: Mapping[str, object],
    client_ip: str,
    *,
    password: str | None = None,
    token_suffices: bool = False,
) -> UpdateOutcome:
    """Change the attributes that are present in `raw`, all or none; a new address waits until it is proven.

    A new address needs the current password or, if None is given, a recent sign-in, unless the access token suffices,
    as in the legacy contract. Gone when the customer was erased, or the session ended, after the caller was
    authenticated.
    """
    changes = read_profile_changes(raw, services.policy, services.clock().date(), of_person=services.of_person)
    if isinstance(changes, list):
        return Invalid(tuple(changes))
    address = _new_address(caller, changes)
    if address and address.needs_smtputf8 and not services.smtputf8:
        return Invalid((Violation("email", ViolationCode.NOT_AN_EMAIL, Stage.EMAIL),))
    if address and not token_suffices and (refused := _refusal(services, caller, password, client_ip)):
        return refused
    costs = frozenset({Cost.MAIL} if address else ())
    work = partial(_update, services, caller, changes, client_ip)
    return services.write_charged(Bill(costs, client_ip, address.key if address else None), work)


def _new_address(caller: Caller, changes: ProfileChanges) -> EmailAddress | None:
    """Another address in the changes; None without one, or for another spelling of the present one."""
    address = changes.email
    return address if address and address.key != key_of_stored(caller.customer.email) else None


def _refusal(
    services: Services, caller: Caller, password: str | None, client_ip: str
) -> Invalid | BadCredentials | TooManyAttempts | None:
    """Why the caller may not change a credential; None when it may. Costs a hash if there is a password."""
    if password is not None:
        verified = verified_hash(services, caller.customer.id, password, client_ip)
        return None if isinstance(verified, str) else verified
    if services.clock() < caller.signed_in_at + RECENT:
        return None
    return Invalid((Violation("password", ViolationCode.MISSING),))


def _update(
    services: Services, caller: Caller, changes: ProfileChanges, client_ip: str, connection: Connection
) -> UpdateOutcome:
    is_present = (customer.c.id == caller.customer.id) & customer.c.anonymized_at.is_(None)
    person = connection.execute(select(customer).where(is_present).with_for_update()).one_or_none()
    # With the customer locked, as by what ends all sessions: a new password, or the word that it was an intruder.
    if person is None or not is_open(connection, caller.session_id, caller.customer.id):
        return Gone()
    values = dict(changes.values)
    if changes.email and changes.email.key == key_of_stored(person.email):
        values["email"] = changes.email.text  # the same address in another spelling
    elif changes.email:
        requested = request_change(connection, services, person, changes.email, client_ip)
        if not isinstance(requested, PendingChange):
            return requested
    return _updated(connection, write_changes(connection, services, person, values, client_ip), services.clock())


def write_changes(
    connection: Connection, services: Services, person: Row[Any], values: Mapping[str, object], client_ip: str
) -> Row[Any]:
    """Write the values that differ, inside the caller's transaction, which has locked `person`; the row then."""
    changed = {column: value for column, value in values.items() if value != person._mapping[column]}
    if not changed:
        return person
    now = services.clock()
    record_event(connection, services.new_id(), EventKind.UPDATED, person.id, now)
    audit.record(connection, services.new_id(), AuditKind.PROFILE_CHANGE, person.id, now, client_ip=client_ip)
    statement = update(customer).where(customer.c.id == person.id).values(**changed, updated_at=now)
    return connection.execute(statement.returning(customer)).one()


def _updated(connection: Connection, person: Row[Any], now: datetime) -> Updated:
    pending = pending_change(connection, person.id, now)
    if pending is None:
        return Updated(customer_of(person))
    return Updated(customer_of(person), pending.email, pending.confirm_before)

"""How far sign-ups are, by their handles, for the pages that wait: no personal data, and nothing of the address."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select

from registration.keys.handles import Handle
from registration.services import Services
from registration.storage.tables import confirmation_token, customer


class RegistrationState(StrEnum):
    """How far a sign-up is."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    EXPIRED = "expired"


def states_of(services: Services, handles: Collection[Handle]) -> Mapping[Handle, RegistrationState]:
    """The state of each sign-up, in one transaction that reads.

    A sign-up that is gone before its time is PENDING until then: in conceal mode nothing else may tell that the owner
    of an address disowned it, because a decoy is never disowned.
    """
    ids = {handle.customer_id for handle in handles}
    rows, expiries = services.database.read(lambda connection: _look_up(connection, ids))
    now = services.clock()

    def state(handle: Handle) -> RegistrationState:
        row = rows.get(handle.customer_id)
        if row is not None and row.confirmed_at is not None:
            return RegistrationState.EXPIRED if row.anonymized_at else RegistrationState.CONFIRMED
        first = handle.issued_at + services.confirmation if services.confirmation else handle.issued_at
        is_pending = max(first, expiries.get(handle.customer_id, first)) > now
        return RegistrationState.PENDING if is_pending else RegistrationState.EXPIRED

    return {handle: state(handle) for handle in handles}


def settled(services: Services, handles: Collection[Handle]) -> Mapping[Handle, RegistrationState]:
    """As `states_of`, without those that still wait."""
    states = states_of(services, handles)
    return {handle: state for handle, state in states.items() if state is not RegistrationState.PENDING}


def _look_up(connection: Connection, ids: Collection[UUID]) -> tuple[Mapping[UUID, Any], Mapping[UUID, datetime]]:
    """The customers, and when the last key of each expires."""
    columns = select(customer.c.id, customer.c.confirmed_at, customer.c.anonymized_at)
    rows: Sequence[Any] = connection.execute(columns.where(customer.c.id.in_(ids))).all()
    owner, expires_at = confirmation_token.c.customer_id, confirmation_token.c.expires_at
    last = select(owner, func.max(expires_at, type_=expires_at.type)).where(owner.in_(ids)).group_by(owner)
    return {row.id: row for row in rows}, {row[0]: row[1] for row in connection.execute(last)}

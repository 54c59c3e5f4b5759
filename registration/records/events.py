"""Events for readers in other systems: what happened, when, and the customer's id; no personal data."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import insert

from registration.storage.inserts import Inserting
from registration.storage.tables import event

INSERT = insert(event)


class EventKind(StrEnum):
    """What other systems can learn; docs/events.md says when each is written."""

    CREATED = "customer.created"
    SIGN_UP_REPEATED = "customer.sign_up_repeated"
    CONFIRMED = "customer.confirmed"
    DISOWNED = "customer.disowned"
    EXPIRED = "customer.expired"
    UPDATED = "customer.updated"
    EMAIL_CHANGED = "customer.email_changed"
    PASSWORD_CHANGED = "customer.password_changed"
    ERASED = "customer.erased"


def record_event(connection: Inserting, event_id: UUID, kind: EventKind, customer_id: UUID, now: datetime) -> None:
    """Write an event inside the caller's transaction."""
    row = {"id": event_id, "kind": kind, "customer_id": customer_id, "created_at": now}
    connection.execute(INSERT, row)

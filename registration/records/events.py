"""Events for readers in other systems: what happened, when, and the customer's id; no personal data."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import insert

from registration.storage.inserts import Inserting
from registration.storage.tables import event

INSERT = insert(event)


def record_event(connection: Inserting, event_id: UUID, kind: str, customer_id: UUID, now: datetime) -> None:
    """Write an event inside the caller's transaction."""
    row = {"id": event_id, "kind": kind, "customer_id": customer_id, "created_at": now}
    connection.execute(INSERT, row)

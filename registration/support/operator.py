"""An operator, and the audit rows of what the operator does."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from registration.records import audit
from registration.records.audit import AuditKind
from registration.services import Services

NAME_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Operator:
    """The name that the machine knows; audit rows hold NAME_LENGTH characters of it."""

    name: str

    def record(self, connection: Connection, services: Services, kind: AuditKind, customer_id: UUID | None) -> None:
        """Write the row inside the transaction of what is done; without a customer, for a search."""
        now = services.clock()
        audit.record(connection, services.new_id(), kind, customer_id, now, operator=self.name[:NAME_LENGTH])

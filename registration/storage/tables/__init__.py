"""The tables, as every supported engine understands them."""

from registration.storage.column_types import METADATA
from registration.storage.tables.accounts import IS_DECOY, customer, email_claim
from registration.storage.tables.keys import (
    alert_token,
    confirmation_token,
    email_change,
    export_token,
    reset_token,
    used_key,
)
from registration.storage.tables.limits import attempt, idempotency
from registration.storage.tables.nodes import counter, installation, operator_token, probe
from registration.storage.tables.records import audit, event, mail
from registration.storage.tables.sessions import refresh_token, session

metadata = METADATA

__all__ = [
    "IS_DECOY",
    "alert_token",
    "attempt",
    "audit",
    "confirmation_token",
    "counter",
    "customer",
    "email_change",
    "email_claim",
    "event",
    "export_token",
    "idempotency",
    "installation",
    "mail",
    "metadata",
    "operator_token",
    "probe",
    "refresh_token",
    "reset_token",
    "session",
    "used_key",
]

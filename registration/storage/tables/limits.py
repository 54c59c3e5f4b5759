"""What is counted, and what was asked for before."""

from sqlalchemy import Column, Integer, String, Table, Uuid

from registration.storage.column_types import METADATA, Instant
from registration.storage.personal import OnErasure, owned
from registration.storage.tables.distribution import by

attempt = Table(
    "attempt",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("window_ends_at", Instant, nullable=False, index=True),
    info=by("key"),
)

idempotency = Table(
    "idempotency",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("customer_id", Uuid, index=True),
    Column("expires_at", Instant, nullable=False, index=True),
    info=owned(OnErasure.DELETE, "a day") | by("key"),
)

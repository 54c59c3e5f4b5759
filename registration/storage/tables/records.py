"""What happened, and what is to be sent: the audit trail, mails, events."""

from sqlalchemy import Column, Integer, SmallInteger, String, Table, Uuid

from registration.storage.column_types import METADATA, Instant, partial_index
from registration.storage.personal import KEPT, OnErasure, owned, personal
from registration.storage.tables.distribution import by

# Append-only; nothing is updated but the two personal columns, which erasure and housekeeping null.
audit = Table(
    "audit",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("customer_id", Uuid, index=True),
    personal("client_address", String(64), key="client_ip"),
    personal("address", String(320), key="email_key"),
    Column("correlation_id", String(16)),  # of the request
    Column("operator", String(64)),  # of ours, where one did it
    Column("created_at", Instant, nullable=False, index=True),
    info=owned(OnErasure.EMPTY, f"GATEWAY_KEEP_AUDIT_DAYS; without a customer, emptied after {KEPT.days} days")
    | by("id"),
)
# Few rows have an address, or have personal data and no customer; housekeeping looks for the old ones of these.
partial_index("ix_audit_address", "address IS NOT NULL", audit.c.email_key)
STRANGER = "customer_id IS NULL AND (client_address IS NOT NULL OR address IS NOT NULL)"
partial_index("ix_audit_stranger", STRANGER, audit.c.created_at)

# The body is not kept: the relay renders it at sending from the customer row, and derives the key from token_id.
mail = Table(
    "mail",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("bucket", SmallInteger, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("customer_id", Uuid, nullable=False, index=True),
    Column("token_id", Uuid),
    Column("status", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("reason", String(500)),
    Column("failing_since", Instant),
    Column("correlation_id", String(16)),  # of the request that promised the mail
    Column("traceparent", String(55)),  # its span; null while traces are off
    # Only for the one kind of mail that must not follow the customer to a new address; null once it is sent.
    personal("recipient", String(320)),
    info=owned(OnErasure.DELETE, f"{KEPT.days} days after it was sent or given up") | by("bucket"),
)
# Without the mails that wait, which are in the index below.
partial_index("ix_mail_settled_at", "settled_at IS NOT NULL", mail.c.settled_at)
partial_index("ix_mail_due", "status = 'waiting'", mail.c.bucket, mail.c.due_at)

event = Table(
    "event",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("customer_id", Uuid, nullable=False, index=True),
    Column("created_at", Instant, nullable=False, index=True),
    info=owned(OnErasure.EMPTY, "GATEWAY_KEEP_EVENTS_DAYS") | by("id"),
)

"""The keys of mailed links, by their digests. Keys are random: no two have the same, and no constraint says so."""

from typing import Any

from sqlalchemy import Column, Integer, String, Table, Uuid

from registration.storage.column_types import METADATA, Instant
from registration.storage.personal import KEPT, OnErasure, owned, personal
from registration.storage.tables.distribution import by

# `code` is a keyed digest; null where there is none, and of all but a customer's newest token. No failure is null.
confirmation_token = Table(
    "confirmation_token",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("customer_id", Uuid, primary_key=True, index=True),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("code", String(64)),
    Column("code_failures", Integer),
    info=owned(OnErasure.DELETE, "GATEWAY_KEEP_PENDING_DAYS after it expired") | by("customer_id"),
)


def _only_token(name: str, *columns: Column[Any], pending: bool = False) -> Table:
    """Tokens of which a customer has at most one: a new request replaces the old key."""
    return Table(
        name,
        METADATA,
        Column("customer_id", Uuid, primary_key=True),
        Column("digest", String(64), nullable=False, index=True),
        *columns,
        Column("expires_at", Instant, nullable=False, index=True),
        info=owned(OnErasure.DELETE, f"{KEPT.days} days after it expired", pending=pending) | by("customer_id"),
    )


reset_token = _only_token("reset_token", pending=True)
# An address that waits for its proof; it is claimed only when proven, so that no customer can block a stranger's.
email_change = _only_token("email_change", personal("email", String(320), nullable=False))
export_token = _only_token("export_token")

# At most seven days old; `email` is the address that the customer had when the mail was enqueued.
alert_token = Table(
    "alert_token",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("customer_id", Uuid, nullable=False, index=True),
    personal("email", String(320), nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    info=owned(OnErasure.DELETE, f"{KEPT.days} days after it expired", pending=False) | by("digest"),
)

# Keys of the four tables above that were used in the last day; see keys/used_keys.py.
used_key = Table(
    "used_key",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("customer_id", Uuid, nullable=False, index=True),
    Column("expires_at", Instant, nullable=False, index=True),
    info=owned(OnErasure.DELETE, "a day", pending=False) | by("digest"),
)

"""Sessions, and the refresh tokens that keep them alive."""

from sqlalchemy import Column, Index, String, Table, Uuid

from registration.storage.column_types import METADATA, Instant
from registration.storage.personal import KEPT, OnErasure, owned, personal
from registration.storage.tables.distribution import by

# One row for each sign-in; once it has ended, its access tokens are refused, too. `device_mark` is null for those of
# before revision 0009; see sessions/devices.py.
session = Table(
    "session",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("customer_id", Uuid, primary_key=True, index=True),
    Column("created_at", Instant, nullable=False, index=True),
    Column("ended_at", Instant),
    personal("device", String(60)),
    personal("place", String(60)),
    Column("device_mark", String(64)),
    info=owned(OnErasure.DELETE, f"{KEPT.days} days after its last possible refresh", pending=False)
    | by("customer_id"),
)

# Declared after `session`, because erasure deletes in this order: a refresh in flight has locked its session, and has
# written its token when it releases it.
# The family of a session's refresh tokens: each is used once, and its reuse ends the family. `parent` is the digest of
# the token that was used to get this one; null for the first of a session, and for those issued before revision 0004.
refresh_token = Table(
    "refresh_token",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("session_id", Uuid, nullable=False, index=True),
    Column("customer_id", Uuid, primary_key=True, index=True),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("used_at", Instant),
    Column("revoked_at", Instant),
    Column("parent", String(64)),
    info=owned(OnErasure.DELETE, f"{KEPT.days} days after it expired", pending=False) | by("customer_id"),
)

# Nodes of 0.2.0 insert ON CONFLICT (id) and ON CONFLICT (digest), which needs such an index. The release
# after the one that brings revision 0013 drops them (decision 0056).
Index("uq_session_id", session.c.id, unique=True)
Index("uq_refresh_token_digest", refresh_token.c.digest, unique=True)

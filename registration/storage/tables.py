"""The tables, as every supported engine understands them."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
)

from registration.customer import Gender, Salutation
from registration.language import Language
from registration.storage.column_types import METADATA, Choice, Instant, partial_index
from registration.storage.personal import Emptied, OnErasure, owned, personal

metadata = METADATA
customer = Table(
    "customer",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("reference", String(255), nullable=False, unique=True),
    personal("email", String(320), Emptied.ADDRESS, nullable=False),
    personal("salutation", Choice(Salutation, 8)),
    personal("first_name", String(100)),
    personal("last_name", String(100)),
    personal("gender", Choice(Gender, 8)),
    personal("date_of_birth", Date),
    personal("password_hash", String(255), Emptied.TEXT, nullable=False),
    Column("language", Choice(Language, 8), nullable=False),
    Column("terms_accepted_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("confirmed_at", Instant),
    Column("blocked_at", Instant),  # by an operator
    Column("password_changed_at", Instant),
    Column("anonymized_at", Instant),
    info=owned(
        OnErasure.EMPTY, "until it is erased; unconfirmed, GATEWAY_KEEP_PENDING_DAYS after its last key", owner="id"
    ),
)

# Only confirmed customers can be erased, so anonymized + never confirmed = decoy.
IS_DECOY = customer.c.anonymized_at.is_not(None) & customer.c.confirmed_at.is_(None)

# Decoys are few and soon deleted; see addresses/decoys.py.
partial_index("ix_customer_shadow", "anonymized_at IS NOT NULL AND confirmed_at IS NULL", customer.c.created_at)
# Housekeeping looks for accounts that were not confirmed.
partial_index("ix_customer_pending", "anonymized_at IS NULL AND confirmed_at IS NULL", customer.c.created_at)

# Operators look for the beginning of a name, by bytes whatever the collation is.
Index("ix_customer_last_name", customer.c.last_name, postgresql_ops={"last_name": "text_pattern_ops"})

# Uniqueness lives apart from the customer: a sharded engine accepts a unique key only with its distribution column.
email_claim = Table(
    "email_claim",
    metadata,
    personal("address", String(320), primary_key=True),
    Column("customer_id", Uuid, nullable=False, index=True),
    info=owned(OnErasure.DELETE, "as long as its customer has the address"),
)

# `code` is a keyed digest; null where there is none, and of all but a customer's newest token. No failure is null.
confirmation_token = Table(
    "confirmation_token",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("customer_id", Uuid, nullable=False, index=True),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("code", String(64)),
    Column("code_failures", Integer),
    info=owned(OnErasure.DELETE, "GATEWAY_KEEP_PENDING_DAYS after it expired"),
)

# One row for each sign-in; once it has ended, its access tokens are refused, too. `device_mark` is null for those of
# before revision 0009; see sessions/devices.py.
session = Table(
    "session",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("customer_id", Uuid, nullable=False, index=True),
    Column("created_at", Instant, nullable=False, index=True),
    Column("ended_at", Instant),
    personal("device", String(60)),
    personal("place", String(60)),
    Column("device_mark", String(64)),
    info=owned(OnErasure.DELETE, "30 days after its last possible refresh", pending=False),
)

# Declared after `session`, because erasure deletes in this order: a refresh in flight has locked its session, and has
# written its token when it releases it.
# The family of a session's refresh tokens: each is used once, and its reuse ends the family. `parent` is the digest of
# the token that was used to get this one; null for the first of a session, and for those issued before revision 0004.
refresh_token = Table(
    "refresh_token",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("session_id", Uuid, nullable=False, index=True),
    Column("customer_id", Uuid, nullable=False, index=True),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("used_at", Instant),
    Column("revoked_at", Instant),
    Column("parent", String(64)),
    info=owned(OnErasure.DELETE, "30 days after it expired", pending=False),
)


def _only_token(name: str, *columns: Column[Any], pending: bool = False) -> Table:
    """Tokens of which a customer has at most one: a new request replaces the old key."""
    return Table(
        name,
        metadata,
        Column("customer_id", Uuid, primary_key=True),
        Column("digest", String(64), nullable=False, unique=True),
        *columns,
        Column("expires_at", Instant, nullable=False, index=True),
        info=owned(OnErasure.DELETE, "30 days after it expired", pending=pending),
    )


reset_token = _only_token("reset_token", pending=True)
# An address that waits for its proof; it is claimed only when proven, so that no customer can block a stranger's.
email_change = _only_token("email_change", personal("email", String(320), nullable=False))
export_token = _only_token("export_token")

# At most seven days old; `email` is the address that the customer had when the mail was enqueued.
alert_token = Table(
    "alert_token",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("customer_id", Uuid, nullable=False, index=True),
    personal("email", String(320), nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    info=owned(OnErasure.DELETE, "30 days after it expired", pending=False),
)

# Keys of the four tables above that were used in the last day; see keys/used_keys.py.
used_key = Table(
    "used_key",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("customer_id", Uuid, nullable=False, index=True),
    Column("expires_at", Instant, nullable=False, index=True),
    info=owned(OnErasure.DELETE, "a day", pending=False),
)

# Append-only; nothing is updated but the two personal columns, which erasure and housekeeping null.
audit = Table(
    "audit",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("customer_id", Uuid, index=True),
    personal("client_address", String(64), key="client_ip"),
    personal("address", String(320), key="email_key"),
    Column("correlation_id", String(16)),  # of the request
    Column("operator", String(64)),  # of ours, where one did it
    Column("created_at", Instant, nullable=False, index=True),
    info=owned(OnErasure.EMPTY, "GATEWAY_KEEP_AUDIT_DAYS; without a customer, emptied after 30 days"),
)
# Few rows have an address; housekeeping looks for the old ones among them.
partial_index("ix_audit_address", "address IS NOT NULL", audit.c.email_key)
partial_index("ix_audit_stranger", "address IS NOT NULL AND customer_id IS NULL", audit.c.created_at)

# The body is not kept: the relay renders it at sending from the customer row, and derives the key from token_id.
mail = Table(
    "mail",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("bucket", SmallInteger, nullable=False),
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
    # Only for the one kind of mail that must not follow the customer to a new address; null once it is sent.
    personal("recipient", String(320)),
    info=owned(OnErasure.DELETE, "30 days after it was sent or given up"),
)
# Without the mails that wait, which are in the index below.
partial_index("ix_mail_settled_at", "settled_at IS NOT NULL", mail.c.settled_at)
partial_index("ix_mail_due", "status = 'waiting'", mail.c.bucket, mail.c.due_at)

event = Table(
    "event",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("customer_id", Uuid, nullable=False, index=True),
    Column("created_at", Instant, nullable=False, index=True),
    info=owned(OnErasure.EMPTY, "GATEWAY_KEEP_EVENTS_DAYS"),
)

counter = Table(
    "counter",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("next", BigInteger, nullable=False),
)

attempt = Table(
    "attempt",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("window_ends_at", Instant, nullable=False, index=True),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("customer_id", Uuid, index=True),
    Column("expires_at", Instant, nullable=False, index=True),
    info=owned(OnErasure.DELETE, "a day"),
)

# One row, with id 1: what all nodes that use this database agree about.
installation = Table(
    "installation",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("oldest_revision", String(32), nullable=False),  # of programs that can work with this schema
    # A fingerprint of the secret, and the ids of the signing keys; null until the first node has stated its own.
    Column("secret", String(64)),
    Column("signing_keys", Text),
)

# Empty: a probe inserts a row and deletes it in the same transaction, to see whether the database takes it.
probe = Table(
    "probe",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("filler", LargeBinary, nullable=False),
)

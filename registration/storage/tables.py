"""The tables, as every supported engine understands them."""

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
    text,
)

from registration.customer import Gender, Salutation
from registration.language import Language
from registration.storage.column_types import Choice, Instant
from registration.storage.personal import Emptied, OnErasure, owned, personal

# Explicit names, because a migration must be able to name what it drops on every engine.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

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
    Column("password_changed_at", Instant),
    Column("anonymized_at", Instant),
    info=owned(OnErasure.EMPTY, owner="id"),
)

# Only confirmed customers can be erased, so anonymized + never confirmed = decoy.
IS_DECOY = customer.c.anonymized_at.is_not(None) & customer.c.confirmed_at.is_(None)

# Decoys are few and soon deleted; see addresses/decoys.py.
Index(
    "ix_customer_shadow",
    customer.c.created_at,
    sqlite_where=text("anonymized_at IS NOT NULL AND confirmed_at IS NULL"),
    postgresql_where=text("anonymized_at IS NOT NULL AND confirmed_at IS NULL"),
)

# Uniqueness lives apart from the customer: a sharded engine accepts a unique key only with its distribution column.
email_claim = Table(
    "email_claim",
    metadata,
    personal("address", String(320), primary_key=True),
    Column("customer_id", Uuid, nullable=False, index=True),
    info=owned(OnErasure.DELETE),
)

confirmation_token = Table(
    "confirmation_token",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("customer_id", Uuid, nullable=False, index=True),
    Column("expires_at", Instant, nullable=False),
    info=owned(OnErasure.DELETE),
)

# One row for each sign-in; once it has ended, its access tokens are refused, too.
session = Table(
    "session",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("customer_id", Uuid, nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    info=owned(OnErasure.DELETE, pending=False),
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
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    Column("revoked_at", Instant),
    Column("parent", String(64)),
    info=owned(OnErasure.DELETE, pending=False),
)

# At most one a customer: a new request replaces the old key.
reset_token = Table(
    "reset_token",
    metadata,
    Column("customer_id", Uuid, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("expires_at", Instant, nullable=False),
    info=owned(OnErasure.DELETE),
)

# An address that waits for its proof; it is claimed only when proven, so that no customer can block a stranger's.
email_change = Table(
    "email_change",
    metadata,
    Column("customer_id", Uuid, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    personal("email", String(320), nullable=False),
    Column("expires_at", Instant, nullable=False),
    info=owned(OnErasure.DELETE, pending=False),
)

# Keys of the three tables above that were used in the last day; see keys/used_keys.py.
used_key = Table(
    "used_key",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("customer_id", Uuid, nullable=False, index=True),
    Column("expires_at", Instant, nullable=False, index=True),
    info=owned(OnErasure.DELETE, pending=False),
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
    Column("created_at", Instant, nullable=False),
    info=owned(OnErasure.EMPTY),
)
Index(
    "ix_audit_address",
    audit.c.email_key,  # few rows have one
    sqlite_where=text("address IS NOT NULL"),
    postgresql_where=text("address IS NOT NULL"),
)

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
    # Only for the one kind of mail that must not follow the customer to a new address; null once it is sent.
    personal("recipient", String(320)),
    info=owned(OnErasure.DELETE),
)
# Without the mails that wait, which are in the index below.
Index(
    "ix_mail_settled_at",
    mail.c.settled_at,
    sqlite_where=text("settled_at IS NOT NULL"),
    postgresql_where=text("settled_at IS NOT NULL"),
)
Index(
    "ix_mail_due",
    mail.c.bucket,
    mail.c.due_at,
    sqlite_where=text("status = 'waiting'"),
    postgresql_where=text("status = 'waiting'"),
)

event = Table(
    "event",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("customer_id", Uuid, nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
    info=owned(OnErasure.EMPTY),
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
    info=owned(OnErasure.DELETE),
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

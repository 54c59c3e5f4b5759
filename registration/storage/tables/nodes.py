"""What the nodes of an installation share: small tables."""

from sqlalchemy import BigInteger, Column, LargeBinary, SmallInteger, String, Table, Text, Uuid

from registration.storage.column_types import METADATA, Instant
from registration.storage.tables.distribution import EVERYWHERE

counter = Table(
    "counter",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("next", BigInteger, nullable=False),
    info=EVERYWHERE,
)

# The last token of each operator; `scopes` are names with commas between them.
operator_token = Table(
    "operator_token",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("scopes", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("ended_at", Instant),
    info=EVERYWHERE,
)

# One row, with id 1: what all nodes that use this database agree about.
installation = Table(
    "installation",
    METADATA,
    Column("id", SmallInteger, primary_key=True),
    Column("oldest_revision", String(32), nullable=False),  # of programs that can work with this schema
    # A fingerprint of the secret, and the ids of the signing keys; null until the first node has stated its own.
    Column("secret", String(64)),
    Column("signing_keys", Text),
    info=EVERYWHERE,
)

# Empty: a probe inserts a row and deletes it in the same transaction, to see whether the database takes it.
probe = Table(
    "probe",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("filler", LargeBinary, nullable=False),
    info=EVERYWHERE,
)

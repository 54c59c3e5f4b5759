"""Customers, and the addresses that they hold."""

from sqlalchemy import Column, Date, Index, String, Table, Uuid

from registration.customer import Gender, Salutation
from registration.language import Language
from registration.storage.column_types import METADATA, Choice, Instant, partial_index
from registration.storage.personal import Emptied, OnErasure, owned, personal
from registration.storage.tables.distribution import by

customer = Table(
    "customer",
    METADATA,
    Column("id", Uuid, primary_key=True),
    # The counter gives a number once. The constraint is a net, for a counter that was set back by hand, and only on
    # engines of one node: `registration-gateway distribute` drops it.
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
    )
    | by("id"),
)

# Only confirmed customers can be erased, so anonymized + never confirmed = decoy.
IS_DECOY = customer.c.anonymized_at.is_not(None) & customer.c.confirmed_at.is_(None)

# Decoys are few and soon deleted; see addresses/decoys.py. They were once called shadows.
partial_index("ix_customer_shadow", "anonymized_at IS NOT NULL AND confirmed_at IS NULL", customer.c.created_at)
# Housekeeping looks for accounts that were not confirmed.
partial_index("ix_customer_pending", "anonymized_at IS NULL AND confirmed_at IS NULL", customer.c.created_at)

# Operators look for the beginning of a name, by bytes whatever the collation is; with the id a page has a next one.
Index("ix_customer_last_name", customer.c.last_name, customer.c.id, postgresql_ops={"last_name": "text_pattern_ops"})

# Uniqueness lives apart from the customer: a sharded engine accepts a unique key only with its distribution column.
email_claim = Table(
    "email_claim",
    METADATA,
    personal("address", String(320), primary_key=True),
    Column("customer_id", Uuid, nullable=False, index=True),
    info=owned(OnErasure.DELETE, "as long as its customer has the address") | by("address"),
)

"""Housekeeping finds every audit row without a customer that has personal data, not only those with an address."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    stranger = sa.text("customer_id IS NULL AND (client_address IS NOT NULL OR address IS NOT NULL)")
    op.drop_index("ix_audit_stranger", "audit")
    op.create_index("ix_audit_stranger", "audit", ["created_at"], sqlite_where=stranger, postgresql_where=stranger)
    # In conceal mode these rows had the ids of made-up customers.
    op.execute(
        "UPDATE audit SET customer_id = NULL WHERE kind = 'reset request'"
        " AND NOT EXISTS (SELECT 1 FROM customer WHERE customer.id = audit.customer_id)"
    )

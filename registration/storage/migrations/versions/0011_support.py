"""Support: the request and the operator behind an audit row, blocked customers, and a search by last name."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    for table in ("audit", "mail"):
        op.add_column(table, sa.Column("correlation_id", sa.String(16)))
    op.add_column("audit", sa.Column("operator", sa.String(64)))
    op.add_column("customer", sa.Column("blocked_at", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_customer_last_name", "customer", ["last_name"], postgresql_ops={"last_name": "text_pattern_ops"}
    )

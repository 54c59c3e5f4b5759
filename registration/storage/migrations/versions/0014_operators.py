"""Tokens of operators, an index for pages of customers by last name, and the span that promised a mail."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "operator_token",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("scopes", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
    )
    op.add_column("mail", sa.Column("traceparent", sa.String(55)))
    op.drop_index("ix_customer_last_name", "customer")
    op.create_index(
        "ix_customer_last_name", "customer", ["last_name", "id"], postgresql_ops={"last_name": "text_pattern_ops"}
    )

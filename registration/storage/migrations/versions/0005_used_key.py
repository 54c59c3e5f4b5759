"""Keys that were used a short time ago, so that a link that is followed again says that all is well."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "used_key",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_used_key")),
    )
    op.create_index(op.f("ix_used_key_customer_id"), "used_key", ["customer_id"])
    op.create_index(op.f("ix_used_key_expires_at"), "used_key", ["expires_at"])

"""Indexes by which housekeeping finds what is over, so that it reads no table to its end."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

MOMENTS = {
    "expires_at": ("confirmation_token", "reset_token", "email_change", "refresh_token"),
    "created_at": ("session", "audit", "event"),
}


def upgrade() -> None:
    for column, tables in MOMENTS.items():
        for table in tables:
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
    unconfirmed = sa.text("anonymized_at IS NULL AND confirmed_at IS NULL")
    stranger = sa.text("address IS NOT NULL AND customer_id IS NULL")
    for table, name, rows in (("customer", "pending", unconfirmed), ("audit", "stranger", stranger)):
        op.create_index(f"ix_{table}_{name}", table, ["created_at"], sqlite_where=rows, postgresql_where=rows)

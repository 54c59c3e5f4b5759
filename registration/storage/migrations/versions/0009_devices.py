"""Sessions remember the device and the place of their sign-in; mails about security carry keys."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("session", sa.Column("device", sa.String(60)))
    op.add_column("session", sa.Column("place", sa.String(60)))
    op.add_column("session", sa.Column("device_mark", sa.String(64)))
    op.create_table(
        "alert_token",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_alert_token")),
    )
    for column in ("customer_id", "expires_at"):
        op.create_index(op.f(f"ix_alert_token_{column}"), "alert_token", [column])

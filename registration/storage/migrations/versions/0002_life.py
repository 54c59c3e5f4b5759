"""Sessions, resets, changes of address, the audit trail and erasure."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def moment(name: str, *, nullable: bool = True) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.add_column("customer", moment("password_changed_at"))
    op.add_column("customer", moment("anonymized_at"))
    is_decoy = sa.text("anonymized_at IS NOT NULL AND confirmed_at IS NULL")
    op.create_index("ix_customer_shadow", "customer", ["created_at"], sqlite_where=is_decoy, postgresql_where=is_decoy)
    op.add_column("mail", sa.Column("recipient", sa.String(320)))
    op.create_table(
        "session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        moment("created_at", nullable=False),
        moment("ended_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
    )
    op.create_index(op.f("ix_session_customer_id"), "session", ["customer_id"])
    op.create_table(
        "refresh_token",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        moment("expires_at", nullable=False),
        moment("used_at"),
        moment("revoked_at"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_refresh_token")),
    )
    op.create_index(op.f("ix_refresh_token_session_id"), "refresh_token", ["session_id"])
    op.create_index(op.f("ix_refresh_token_customer_id"), "refresh_token", ["customer_id"])
    op.create_table(
        "reset_token",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        moment("expires_at", nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_reset_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_reset_token_digest")),
    )
    op.create_table(
        "email_change",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        moment("expires_at", nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_email_change")),
        sa.UniqueConstraint("digest", name=op.f("uq_email_change_digest")),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("customer_id", sa.Uuid()),
        sa.Column("client_address", sa.String(64)),
        sa.Column("address", sa.String(320)),
        moment("created_at", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_customer_id"), "audit", ["customer_id"])
    op.create_index(op.f("ix_audit_address"), "audit", ["address"])
    op.create_index(op.f("ix_mail_settled_at"), "mail", ["settled_at"])
    op.create_index(op.f("ix_attempt_window_ends_at"), "attempt", ["window_ends_at"])

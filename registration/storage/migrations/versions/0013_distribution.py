"""Unique keys hold the column by which an engine of several nodes distributes the table, or are no longer unique."""

from alembic import op

revision = "0013"
down_revision = "0012"

WIDENED = {
    "confirmation_token": ["digest", "customer_id"],
    "session": ["id", "customer_id"],
    "refresh_token": ["digest", "customer_id"],
    "mail": ["id", "bucket"],
}
# Keys are random: no two have the same digest.
NO_LONGER_UNIQUE = ("reset_token", "email_change", "export_token")


def upgrade() -> None:
    for table, columns in WIDENED.items():
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"pk_{table}"), type_="primary")
            batch.create_primary_key(op.f(f"pk_{table}"), columns)
    for table in NO_LONGER_UNIQUE:
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"uq_{table}_digest"), type_="unique")
        op.create_index(op.f(f"ix_{table}_digest"), table, ["digest"])
    # The conflict targets of 0.2.0, whose nodes may serve while the new ones start.
    op.create_index("uq_session_id", "session", ["id"], unique=True)
    op.create_index("uq_refresh_token_digest", "refresh_token", ["digest"], unique=True)

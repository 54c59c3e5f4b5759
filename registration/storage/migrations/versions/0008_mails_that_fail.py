"""Mails remember since when they have failed, so that giving up is counted from there."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("mail", sa.Column("failing_since", sa.DateTime(timezone=True)))

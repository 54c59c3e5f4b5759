"""Confirmation tokens have a code besides their key, as a keyed digest, and count the wrong ones."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("confirmation_token", sa.Column("code", sa.String(64)))
    op.add_column("confirmation_token", sa.Column("code_failures", sa.Integer()))

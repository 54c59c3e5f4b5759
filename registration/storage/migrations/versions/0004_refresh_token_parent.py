"""Refresh tokens remember which token they were issued for, so that two branches of a session are noticed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("refresh_token", sa.Column("parent", sa.String(64)))

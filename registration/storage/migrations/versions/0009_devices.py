"""Sessions remember the device and the place of their sign-in."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("session", sa.Column("device", sa.String(60)))
    op.add_column("session", sa.Column("place", sa.String(60)))
    op.add_column("session", sa.Column("device_mark", sa.String(64)))

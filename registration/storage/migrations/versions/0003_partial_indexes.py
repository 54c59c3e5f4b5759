"""Indexes without the rows that no query looks for there, so that a sign-up does not write into them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for table, column in (("audit", "address"), ("mail", "settled_at")):
        name, is_there = f"ix_{table}_{column}", sa.text(f"{column} IS NOT NULL")
        op.drop_index(name, table)
        op.create_index(name, table, [column], sqlite_where=is_there, postgresql_where=is_there)

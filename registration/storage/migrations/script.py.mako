"""${message}."""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    # Where programs of the revision before cannot work with this schema, add:
    # op.execute("UPDATE installation SET oldest_revision = '${up_revision}'")
    ${upgrades if upgrades else "pass"}

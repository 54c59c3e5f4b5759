"""What waits in the database for the relay and for readers of events: looked up when metrics are asked for."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, literal_column, select

from registration.metrics import Backlog
from registration.storage.tables import event, mail

MOST = 100_000
"""More rows are not counted, so that a look stays short."""

IS_WAITING = mail.c.status == literal_column("'waiting'")


def backlog(connection: Connection, now: datetime) -> Backlog:
    oldest = connection.execute(select(func.min(mail.c.created_at)).where(IS_WAITING)).scalar_one()
    return Backlog(
        mails=_count(connection, select(mail.c.id).where(IS_WAITING)),
        oldest_seconds=max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
        events=_count(connection, select(event.c.id)),
    )


def _count(connection: Connection, rows: Select[Any]) -> int:
    return connection.execute(select(func.count()).select_from(rows.limit(MOST).subquery())).scalar_one()

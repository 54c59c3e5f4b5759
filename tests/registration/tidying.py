"""Housekeeping, run to its end."""

from datetime import datetime, timedelta
from uuid import uuid4

from registration.account.housekeeping import Housekeeping
from registration.records.ledger import NO_LEDGER
from registration.storage.database import Database

DAY = timedelta(days=1)
KEEPING = Housekeeping(
    pending=30 * DAY, audit=60 * DAY, events=45 * DAY, session=90 * DAY, new_id=uuid4, ledger=NO_LEDGER
)


def tidied(database: Database, now: datetime, limit: int = 10) -> list[int]:
    """The numbers of rows of all slices until there is nothing left to do."""
    done: list[int] = []
    while not done or done[-1]:
        done.append(database.write(lambda connection: KEEPING.tidy_up(connection, now, limit)))
    return done[:-1]

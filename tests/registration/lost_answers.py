"""A database whose answers to commits are lost."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from registration.storage.database import Database

Result = TypeVar("Result")


class CommitsTwice(Database):
    """Runs work that knows its rows again after its commit; `repeated` counts how often."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.repeated = 0

    @property
    def dialect(self) -> str:
        return self._database.dialect

    def write(self, work: Callable[[Connection], Result], *, knows_its_rows: bool = False) -> Result:
        result = self._database.write(work)
        if not knows_its_rows:
            return result
        self.repeated += 1
        return self._database.write(work)

    def read(self, work: Callable[[Connection], Result]) -> Result:
        return self._database.read(work)

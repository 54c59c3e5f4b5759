"""Types of columns, and a kind of index, that every supported engine has alike."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, DateTime, Index, String, text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class Instant(TypeDecorator[datetime]):
    """A moment in UTC with microseconds; SQLite keeps no offset, PostgreSQL gives the one of its session."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Choice(TypeDecorator[StrEnum]):
    """One of the values of an enum, stored as its text."""

    impl = String
    cache_ok = True

    def __init__(self, choices: type[StrEnum], length: int) -> None:
        super().__init__(length)
        self.choices = choices

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        return None if value is None else self.choices(value)


def partial_index(name: str, condition: str, *columns: "Column[Any]") -> Index:
    """An index of the rows that fulfil the condition: the others cost it nothing."""
    return Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))

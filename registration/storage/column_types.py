"""The metadata of all tables, types of columns, and a kind of index, that every supported engine has alike."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, DateTime, Index, MetaData, String, text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

# Explicit names, because a migration must be able to name what it drops on every engine.
METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


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

"""The schema revisions of a database and of this program, read without importing Alembic."""

import re
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

from registration.storage.tables import installation

NUMBER = re.compile("[0-9]{4}")
VERSIONS = Path(__file__).parent / "migrations" / "versions"
# Alembic's own table, with one row for the revision that the database is at.
RECORD = Table("alembic_version", MetaData(), Column("version_num", String(32)))


def newest() -> str:
    """The newest revision of this program: migrations are numbered, in the names of their files, too."""
    return max(path.name for path in VERSIONS.glob("[0-9]*.py")).partition("_")[0]


def is_usable(connection: Connection, revision: str) -> bool:
    """Whether a program whose newest revision is this one can work with the database.

    It can at this revision, and at a newer one that has room for it: the first step of a change adds columns and
    tables while nodes of the old version serve. False where no revision is recorded, or one that is not ours.
    """
    if _recorded(connection) == revision:
        return True
    if not is_newer(connection, revision):
        return False
    return bool(connection.execute(select(installation.c.oldest_revision)).scalar_one() <= revision)


def is_newer(connection: Connection, revision: str) -> bool:
    """Whether the database is at a newer revision than this one, of a later version of this program."""
    found = _recorded(connection)
    return found is not None and bool(NUMBER.fullmatch(found)) and found > revision


def _recorded(connection: Connection) -> str | None:
    if not inspect(connection).has_table(RECORD.name):
        return None
    return connection.execute(select(RECORD.c.version_num)).scalar_one_or_none()

"""The schema revisions of a database and of this program, read without importing Alembic."""

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

VERSIONS = Path(__file__).parent / "migrations" / "versions"
# Alembic's own table, with one row for the revision that the database is at.
RECORD = Table("alembic_version", MetaData(), Column("version_num", String(32)))


def newest() -> str:
    """The newest revision of this program: migrations are numbered, in the names of their files, too."""
    return max(path.name for path in VERSIONS.glob("[0-9]*.py")).partition("_")[0]


def is_current(connection: Connection, revision: str) -> bool:
    """Whether the database is at this revision; False where it has no table."""
    if not inspect(connection).has_table(RECORD.name):
        return False
    return connection.execute(select(RECORD.c.version_num)).scalar_one_or_none() == revision

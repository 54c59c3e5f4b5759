"""Migrations: Alembic brings a database to the schema of this version."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from registration.storage.database import Database, wait_for_ever
from registration.storage.tables import metadata


class UnknownRevisionError(Exception):
    """The database is of another version of the program, or of another program; the text is one line."""


def migrate(database: Database) -> None:
    """Apply the missing migrations in one transaction. Raises UnknownRevisionError, with nothing changed."""
    config = _config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}

    def upgrade(connection: Connection) -> None:
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in known:
            raise UnknownRevisionError(f"the database is at revision {current}, which this version does not know")
        foreign = metadata.tables.keys() & inspect(connection).get_table_names()
        if current is None and foreign:
            raise UnknownRevisionError(
                f"the database has tables of another application: {', '.join(sorted(foreign))}; use one of its own"
                " for this application, or with PostgreSQL a schema: ?options=-csearch_path%3Dname"
            )
        wait_for_ever(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    database.write(upgrade)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config

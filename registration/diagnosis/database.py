"""The database: whether it can be reached and used, its clock, and its room."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, text

from registration.diagnosis.finding import Finding, bad, good, skipped, worse
from registration.keys.agreement import keys_of_node
from registration.keys.key_files import KeyFileError
from registration.keys.secret import load_secret
from registration.keys.signing_keys import SigningKeys
from registration.readiness import is_file_missing, permission_obstacle, schema_obstacle, visible_obstacle
from registration.settings import Settings
from registration.storage.database import Database, Unavailable, open_database

CLOCKS_MAY_DIFFER = 1.0
"""Seconds: access tokens allow the clocks of nodes to differ by as much."""

LITTLE_ROOM = 1024**3
GIB = 1024**3


def look_at_database(settings: Settings) -> Iterator[Finding]:
    if is_file_missing(settings):
        mend = "mend GATEWAY_DATABASE_URL, or run: registration-gateway migrate"
        yield bad("database", f"{settings.database_place}: there is no such file", mend)
        return
    try:
        database = open_database(settings.database_url, readers=1)
        version = database.read(_version)
    except Unavailable as error:
        yield bad("database", f"{settings.database_place}: {error}", "mend GATEWAY_DATABASE_URL, or start the server")
        return
    yield good("database", f"{settings.database_place} answers: {version}")
    yield _revision(database)
    yield from _readiness(database, Path(settings.keys_dir))
    yield from _of_sqlite(settings) if settings.is_embedded else _of_postgresql(database)
    database.close()


def _version(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        return f"SQLite {connection.exec_driver_sql('SELECT sqlite_version()').scalar_one()}"
    # Its encoding and the settings of the session were checked when the connection was made.
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    return f"PostgreSQL {connection.exec_driver_sql('SHOW server_version').scalar_one()}, {encoding}"


def _revision(database: Database) -> Finding:
    found = database.read(schema_obstacle)
    if found:
        return bad("schema", found.reason, "do as the line says")
    return good("schema", "as this version needs it")


def _readiness(database: Database, keys_dir: Path) -> Iterator[Finding]:
    """What `/readyz` would say, as far as a look tells. Other lines tell of unreadable keys and an unusable schema."""
    try:
        keys = keys_of_node(load_secret(keys_dir), SigningKeys(keys_dir))
    except KeyFileError:
        return
    found = visible_obstacle(database, keys)
    if found is None:
        yield good("readiness", "schema, rights and keys are those that a node needs")
    elif database.read(schema_obstacle) is None:
        yield bad("readiness", found.reason, "do as the line says, or mend the database")


def _of_sqlite(settings: Settings) -> Iterator[Finding]:
    directory = Path(settings.database_place).parent
    yield good("clock", "SQLite has that of this machine")
    if not os.access(directory, os.W_OK):
        yield bad("database's directory", f"{directory} cannot be written", "give it to the user of the gateway")
    status = os.statvfs(directory)
    room = status.f_bavail * status.f_frsize
    seen = f"{room / GIB:.1f} GiB are free for {settings.database_place}"
    yield (
        good("free space", seen) if room >= LITTLE_ROOM else worse("free space", seen, "make room on that file system")
    )


def _of_postgresql(database: Database) -> Iterator[Finding]:
    yield database.write(_writing)  # which a read would not tell
    yield durability_finding(
        *(database.read(partial(_scalar, each)) for each in ("SHOW synchronous_commit", "SHOW fsync"))
    )
    before = datetime.now(UTC)
    now = database.read(lambda connection: connection.execute(text("SELECT clock_timestamp()")).scalar_one())
    after = datetime.now(UTC)
    apart = max((before - now).total_seconds(), (now - after).total_seconds(), 0.0)
    yield clock_finding(apart)
    size = database.read(partial(_scalar, "SELECT pg_size_pretty(pg_database_size(current_database()))"))
    yield skipped(
        "free space", f"the database has {size}; PostgreSQL does not tell how much is left", "look at the server"
    )


def _writing(connection: Connection) -> Finding:
    """Writes nothing."""
    if connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "on":
        return bad("writing", "the database is read-only", "look for a standby, and for default_transaction_read_only")
    if found := permission_obstacle(connection):
        return bad("writing", found.reason, "run: registration-gateway migrate, and grant the role what it lacks")
    return good("writing", "the role may read and write every table")


def clock_finding(apart: float) -> Finding:
    """The server's clock is so many seconds apart from ours, at least."""
    seen = f"the server's differs from ours by {apart:.1f} s" if apart else "the server's agrees with ours"
    is_far = apart > CLOCKS_MAY_DIFFER
    return bad("clock", seen, "let NTP set both clocks") if is_far else good("clock", seen)


def durability_finding(commits: str, flushes: str) -> Finding:
    """By the settings synchronous_commit and fsync of the server."""
    seen = f"synchronous_commit is {commits}, fsync is {flushes}"
    if "off" in {commits, flushes}:
        return bad("durability", seen, "switch both on: an acknowledged sign-up could be lost")
    return good("durability", seen)


def _scalar(statement: str, connection: Connection) -> str:
    return str(connection.exec_driver_sql(statement).scalar_one())

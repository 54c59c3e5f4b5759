"""Whether this node can serve: everything that a sign-up needs of the database is tried."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, delete, insert, text

from registration.keys.agreement import NodeKeys, disagreement, state
from registration.settings import Settings
from registration.storage.database import Database, Misconfigured, Unavailable
from registration.storage.revision import is_newer, is_usable, newest
from registration.storage.tables import metadata, probe

FILLER = {"sqlite": 131_072, "postgresql": 16_384}
"""Bytes that a probe writes. SQLite: its log takes as many pages for them as for a sign-up and its mail, about 30.

PostgreSQL: two pages, because it leaves what is deleted on the disk until VACUUM.
"""

MAY_NOT_WRITE = text("""
    SELECT name FROM unnest(CAST(:names AS text[])) AS name, to_regclass(name) AS found
    WHERE (has_table_privilege(found, 'SELECT') AND has_table_privilege(found, 'INSERT')
        AND has_table_privilege(found, 'UPDATE') AND has_table_privilege(found, 'DELETE')) IS NOT TRUE
""")
"""Tables that are not there, or that our role may not read and write in every way."""


@dataclass(frozen=True, slots=True)
class NotReady:
    """Why a node cannot serve: `status` for any client, `reason` in one line for an operator.

    `is_lasting` says that it stays so until an operator acts.
    """

    status: str
    reason: str
    is_lasting: bool = False


def is_file_missing(settings: Settings) -> bool:
    """Whether an embedded database has no file yet; False where that cannot be seen: to open the file tells why."""
    try:
        Path(settings.database_place).stat()
    except OSError as error:
        return settings.is_embedded and isinstance(error, FileNotFoundError | NotADirectoryError)
    return False


def obstacle(database: Database, keys: NodeKeys) -> NotReady | None:
    """Why this node cannot serve; None when it can. Writes a row and deletes it, in one transaction.

    The first node that can serve states its keys.
    """
    return _found(database, partial(_try, keys))


def visible_obstacle(database: Database, keys: NodeKeys) -> NotReady | None:
    """As `obstacle`, as far as it can be seen without writing anything."""
    return _found(database, partial(_look, keys))


def _found(database: Database, look: Callable[[Connection], NotReady | None]) -> NotReady | None:
    try:
        return database.write(look)
    except Unavailable as error:
        return NotReady(error.outage, str(error), isinstance(error, Misconfigured))


def _try(keys: NodeKeys, connection: Connection) -> NotReady | None:
    found = _look(keys, connection)
    if not found:
        _write(connection)
        state(connection, keys)
    return found


def _look(keys: NodeKeys, connection: Connection) -> NotReady | None:
    return schema_obstacle(connection) or permission_obstacle(connection) or _keys(connection, keys)


def _keys(connection: Connection, keys: NodeKeys) -> NotReady | None:
    difference = disagreement(connection, keys)
    return NotReady("keys differ", difference) if difference else None


def schema_obstacle(connection: Connection) -> NotReady | None:
    if is_usable(connection, newest()):
        return None
    if is_newer(connection, newest()):
        return NotReady("version too old", "the database is of a later version; upgrade this node", True)
    return NotReady(
        "migrations missing", "the database is not at this version; run: registration-gateway migrate", True
    )


def permission_obstacle(connection: Connection) -> NotReady | None:
    """Which tables our role may not use. A read-only database tells when it is written."""
    if connection.dialect.name != "postgresql":
        return None
    refused = connection.execute(MAY_NOT_WRITE, {"names": sorted(metadata.tables)}).scalars().all()
    if refused:
        reason = f"the role of GATEWAY_DATABASE_URL may not read and write these tables: {', '.join(refused)}"
        return NotReady("database permissions missing", reason, True)
    return None


def _write(connection: Connection) -> None:
    key = uuid4()
    connection.execute(insert(probe).values(id=key, filler=secrets.token_bytes(FILLER[connection.dialect.name])))
    connection.execute(delete(probe).where(probe.c.id == key))

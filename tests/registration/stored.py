"""What a database holds, read for tests."""

from typing import Any

from sqlalchemy import Connection, Table, select

from registration.keys.link_keys import confirmation_key
from registration.keys.secret import Secret
from registration.mail.rendering import MailKind
from registration.storage.database import Database
from registration.storage.tables import customer, email_claim, mail, metadata

# Whether a session of the same PostgreSQL database waits for a lock; pg_stat_activity is frozen in a transaction.
WAITING = (
    "SELECT FROM pg_locks WHERE NOT granted AND pid IN"
    " (SELECT pid FROM pg_locks JOIN pg_database ON oid = database WHERE datname = current_database())"
)


def rows(database: Database, table: Table) -> list[dict[str, Any]]:
    def look(connection: Connection) -> list[dict[str, Any]]:
        found = connection.execute(select(table)).mappings()
        return [{column.key: row[column] for column in table.columns} for row in found]

    return database.read(look)


def counts(database: Database) -> dict[str, int]:
    """The number of rows by table, but for empty tables and those whose rows a migration made."""
    made = {"counter", "installation"}
    found = {table.name: len(rows(database, table)) for table in metadata.sorted_tables if table.name not in made}
    return {name: number for name, number in found.items() if number}


def customers(database: Database) -> list[tuple[str, str]]:
    """Address and first name of every customer who holds the claim to an address."""
    claims = {row["customer_id"] for row in rows(database, email_claim)}
    return sorted((row["email"], row["first_name"]) for row in rows(database, customer) if row["id"] in claims)


def keys(database: Database, secret: Secret) -> list[str]:
    """The keys in the confirmation mails that the outbox holds, oldest first."""
    posted = sorted(rows(database, mail), key=lambda row: row["created_at"])
    return [confirmation_key(secret, row["token_id"]) for row in posted if row["kind"] == MailKind.CONFIRMATION]

"""A copy of all data about a person, for the rights to access and to portability (GDPR, articles 15 and 20)."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Column, Connection, Table, select

from registration.addresses.holders import lock_if_present
from registration.keys.link_keys import digest, export_key
from registration.limits.budgets import Bill, Cost
from registration.mail import outbox
from registration.mail.rendering import MailKind
from registration.outcomes import Accepted, ExportRequestOutcome, Gone
from registration.records import audit
from registration.records.audit import AuditKind
from registration.rules.address import key_of_stored
from registration.services import Services
from registration.sessions.access_tokens import Caller
from registration.storage.column_types import Choice, Instant
from registration.storage.database import replace_row
from registration.storage.personal import Emptied, owned_rows
from registration.storage.tables import export_token, metadata

KEY_LIFE = timedelta(days=1)
SAYS_WHAT = {"kind", "reference", "status"}
"""Columns without a person's data that say what a row is."""

Rows: TypeAlias = dict[str, list[dict[str, Any]]]
"""Rows by table, as column and value."""


def request_export(services: Services, caller: Caller, client_ip: str) -> ExportRequestOutcome:
    """Mail the caller a link to the data. A token alone does not read them: it may be stolen, the mailbox is not.

    Gone when the customer was erased after the caller was authenticated.
    """
    person = caller.customer

    def work(connection: Connection) -> Accepted | Gone:
        if not lock_if_present(connection, person.id):
            return Gone()
        now, token_id = services.clock(), services.new_id()
        key = export_key(services.secret, token_id)
        row = {"customer_id": person.id, "digest": digest(key), "expires_at": now + KEY_LIFE}
        replace_row(connection, export_token, row)
        outbox.withdraw(connection, MailKind.DATA_EXPORT, person.id, now)
        outbox.enqueue(connection, kind=MailKind.DATA_EXPORT, customer_id=person.id, token_id=token_id, now=now)
        audit.record(connection, services.new_id(), AuditKind.EXPORT_REQUEST, person.id, now, client_ip=client_ip)
        return Accepted()

    return services.write_charged(Bill(frozenset({Cost.MAIL}), client_ip, key_of_stored(person.email)), work)


def is_export_key(services: Services, key: str) -> bool:
    """Whether the key leads to data now. Changes nothing."""
    return services.database.read(partial(_owner, key=key, now=services.clock())) is not None


def export_by_key(services: Services, key: str, client_ip: str) -> Rows | None:
    """All data about the customer of the key, any number of times until it expires; None for a key that is not good."""

    def work(connection: Connection) -> Rows | None:
        now = services.clock()
        customer_id = _owner(connection, key, now)
        if customer_id is None or not lock_if_present(connection, customer_id):
            return None
        audit.record(connection, services.new_id(), AuditKind.EXPORT, customer_id, now, client_ip=client_ip)
        return rows_about(connection, customer_id)

    return services.database.write(work)


def rows_about(connection: Connection, customer_id: UUID) -> Rows:
    """The customer's rows, as far as they say something about the person."""
    found = {
        table.name: _rows(connection, table, customer_id) for table in metadata.tables.values() if owned_rows(table)
    }
    return {name: rows for name, rows in found.items() if rows}


def is_told(column: "Column[Any]") -> bool:
    """Whether the customer is told it: personal data but the password's hash, choices, moments, and what a row is.

    Keys and digests are not told: they open something.
    """
    if "personal" in column.info:
        return column.info["personal"] is not Emptied.TEXT
    return isinstance(column.type, Instant | Choice) or column.name in SAYS_WHAT


def _owner(connection: Connection, key: str, now: datetime) -> UUID | None:
    is_good = (export_token.c.digest == digest(key)) & (export_token.c.expires_at > now)
    return connection.scalars(select(export_token.c.customer_id).where(is_good)).one_or_none()


def _rows(connection: Connection, table: Table, customer_id: UUID) -> list[dict[str, Any]]:
    owner = owned_rows(table)
    assert owner
    columns = [column for column in table.columns if is_told(column)]
    rows = connection.execute(select(*columns).where(table.c[owner.owner] == customer_id)).all()
    return [dict(zip((column.name for column in columns), row, strict=True)) for row in rows]

"""Decoys: rows without a person, so that a sign-up with a known address writes as many rows as any other."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Table

from registration.storage.personal import emptied_values
from registration.storage.tables import customer


def decoy_address(customer_id: UUID) -> str:
    """An address that belongs to no customer; always the same for the same id."""
    return f"{customer_id.hex}@{customer_id.hex}.{customer_id.hex}"


def decoy_of(row: Mapping[str, object], customer_id: UUID, table: Table = customer) -> dict[str, object]:
    """The row of a new customer with its personal columns emptied, and about as long.

    The hash is emptied, too: a client that signs up again may well have typed the password of the account.
    """
    emptied = emptied_values(
        table,
        address=lambda: decoy_address(customer_id),
        text=lambda column: "*" * len(str(row[column])),
    )
    return {**row, **emptied, "anonymized_at": row["created_at"]}

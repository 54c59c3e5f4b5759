"""Shadows: rows of the customer table that stand for nobody, so that a sign-up with a known address writes as many rows
as any other; they never hold anything of a person."""

from collections.abc import Mapping
from uuid import UUID


def shadow_address(customer_id: UUID) -> str:
    """An address that nobody can type by chance, and the same again when a transaction runs again."""
    return f"{customer_id.hex}@{customer_id.hex}.{customer_id.hex}"


def shadow_of(row: Mapping[str, object], customer_id: UUID) -> dict[str, object]:
    """The row of a new customer without the person, and about as long."""
    return {
        **row,
        "email": shadow_address(customer_id),
        "salutation": None,
        "first_name": None,
        "last_name": None,
        "gender": None,
        "date_of_birth": None,
        # Not the hash: whoever signs up again may well have typed the password of the account.
        "password_hash": "*" * len(str(row["password_hash"])),
        "anonymized_at": row["created_at"],
    }

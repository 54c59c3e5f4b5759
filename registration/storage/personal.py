"""Marks of personal data, set where a column is declared: erasure, decoys and the erasure proof derive from them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from sqlalchemy import Column, MetaData, Table

KEPT = timedelta(days=30)
"""How long rows that have served stay: an operator can look into what became of a mail or a session."""


class Emptied(Enum):
    """What a personal column holds when the person is gone and the row stays."""

    NULL = "null"
    ADDRESS = "an address that belongs to no customer"
    TEXT = "a text that says nothing"


class OnErasure(Enum):
    """What becomes of a customer's rows of a table when the customer is erased."""

    DELETE = "the rows go"
    EMPTY = "the rows stay, their personal columns are emptied"


@dataclass(frozen=True, slots=True)
class OwnedRows:
    """The mark of a table whose rows belong to a customer, named by the column `owner`.

    `kept` says how long a row stays if the customer is not erased before; docs/security.md shows it.
    `pending` says whether a customer whose address is not confirmed yet can have such rows.
    """

    on_erasure: OnErasure
    kept: str
    owner: str = "customer_id"
    pending: bool = True


def personal(name: str, kind: Any, emptied: Emptied = Emptied.NULL, **options: Any) -> "Column[Any]":
    """A column with personal data."""
    return Column(name, kind, info={"personal": emptied}, **options)


def owned(on_erasure: OnErasure, kept: str, **options: Any) -> dict[str, OwnedRows]:
    """The `info` of a table whose rows belong to a customer."""
    return {"owned": OwnedRows(on_erasure, kept, **options)}


def owned_rows(table: Table) -> OwnedRows | None:
    """The mark of a table; None when its rows belong to no customer."""
    return table.info.get("owned")


def personal_columns(table: Table) -> "list[Column[Any]]":
    return [column for column in table.columns if "personal" in column.info]


def emptied_values(table: Table, address: Callable[[], str], text: Callable[[str], str]) -> dict[str, object]:
    """The values that the personal columns of a row have when the person is gone, by the key of the column.

    `address` makes an address that belongs to no customer, `text` replaces the text of a column, given by its key.
    """
    made = {Emptied.NULL: lambda _key: None, Emptied.ADDRESS: lambda _key: address(), Emptied.TEXT: text}
    return {column.key: made[column.info["personal"]](column.key) for column in personal_columns(table)}


def deleted_tables(metadata: MetaData, *, pending: bool = False) -> Iterator[Table]:
    """The tables whose rows are deleted with their customer, in the order of their declaration.

    With `pending`, only those in which a customer with an unconfirmed address can have rows.
    """
    for table in metadata.tables.values():
        rows = owned_rows(table)
        if rows and rows.on_erasure is OnErasure.DELETE and (rows.pending or not pending):
            yield table

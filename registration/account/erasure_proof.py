"""The proof of an erasure: a search in every cell of every table, and in every byte of an SQLite file.

The program has forgotten the person, so the operator must say what to look for.
"""

import mmap
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations, product
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, MetaData, RowMapping, Table, func, select
from sqlalchemy.types import NULLTYPE

from registration.keys.secret import Secret
from registration.limits.address_counts import address_mark
from registration.limits.budgets import mailbox_mark
from registration.limits.lockout import attempt_prefix
from registration.rules.address import email_key
from registration.storage.database import Database
from registration.storage.personal import Emptied, OnErasure, owned_rows, personal_columns
from registration.storage.tables import IS_DECOY, customer, metadata

EMPTIED_ADDRESS = re.compile(r"[0-9a-f]{32}@[0-9a-f]{32}\.[0-9a-f]{32}")
NO_DIGIT = re.compile("[^0-9a-f]")
AT_A_TIME = 1000  # rows


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for: addresses, and as names anything else that is personal, a date of birth for example."""

    addresses: Sequence[str] = field(repr=False)
    names: Sequence[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Looked:
    """A table or file, its size in words, and how often something was found there, by column.

    In a file `found` has the keys `address` and `name`; what was not found has no key.
    """

    place: str
    extent: str
    found: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class CannotProve:
    """There is nothing to prove; `reason` is one line for the operator."""

    reason: str


def person_of(lines: Sequence[str]) -> Wanted:
    """Read what to look for, one a line: an address if it has an `@`, else a name. Empty lines are ignored."""
    given = [line.strip() for line in lines if line.strip()]
    return Wanted([line for line in given if "@" in line], [line for line in given if "@" not in line])


def prove(
    database: Database, secret: Secret, reference: str, person: Wanted, declared: MetaData = metadata
) -> list[Looked] | CannotProve:
    """Search every table and file; the erasure is proven if nothing is found. Marks of `declared` say what may stay.

    Moves SQLite's log into its file first, so that no byte of the log is overlooked.
    """
    is_meant = (customer.c.reference == reference) & ~IS_DECOY
    erased = database.read(lambda connection: connection.execute(select(customer).where(is_meant)).one_or_none())
    if erased is None:
        return CannotProve(f"no customer has the reference {reference}")
    if erased.anonymized_at is None:
        return CannotProve(f"{reference} was not erased")
    database.empty_log()
    search = Search(erased.id, secret, person, declared)
    return [*database.read(search.look_into_tables), *look_into_files(database, person)]


class Search:
    """A search for traces of the person in tables."""

    def __init__(self, customer_id: UUID, secret: Secret, person: Wanted, declared: MetaData) -> None:
        self._declared = declared
        self._customer_id = customer_id
        self._address = _any_of(_forms(person) | _derived(secret, person))
        # Whole words only: many a name is a part of other words.
        self._name = _any_of(person.names, r"(?<!\w)(?:{})(?!\w)")

    def look_into_tables(self, connection: Connection) -> list[Looked]:
        """Search every table that the database has, also those that this program does not know."""
        schema = MetaData()
        schema.reflect(connection)
        for column in (each for table in schema.sorted_tables for each in table.columns):
            column.type = NULLTYPE  # what another program wrote to SQLite need not fit the type
        return [self._look_into(connection, table) for table in schema.sorted_tables]

    def _look_into(self, connection: Connection, table: Table) -> Looked:
        found: Counter[str] = Counter()
        size = 0
        for row in connection.execute(select(table), execution_options={"yield_per": AT_A_TIME}).mappings():
            size += 1
            found.update(self._columns_with_a_trace(table, row))
        return Looked(f"table {table.name}", f"{size} rows", found)

    def _columns_with_a_trace(self, table: Table, row: RowMapping) -> Iterator[str]:
        declared = self._declared.tables.get(table.name)
        rows = None if declared is None else owned_rows(declared)
        owner = row.get(rows.owner if rows else "customer_id")
        # Another program may have ids of another kind in a column of this name.
        is_own = self._customer_id.hex in NO_DIGIT.sub("", str(owner).lower())
        for column, value in row.items():
            text = "" if value is None else str(value)
            # Another customer may well have the same name, but not the same address.
            if (
                self._address.search(text)
                or ((is_own or owner is None) and self._name.search(text))
                or (is_own and _should_be_gone(declared, str(column), text))
            ):
                yield str(column)


def _should_be_gone(declared: Table | None, column: str, text: str) -> bool:
    """Whether a cell in a row of an erased customer holds what no such row has, by the marks of its table.

    `declared` is None for a table that this program does not know: no row of it may name the customer.
    """
    rows = None if declared is None else owned_rows(declared)
    if declared is None or rows is None or rows.on_erasure is OnErasure.DELETE:
        return column == "customer_id"
    emptied = {each.name: each.info["personal"] for each in personal_columns(declared)}.get(column)
    if emptied is Emptied.ADDRESS:
        return not EMPTIED_ADDRESS.fullmatch(text)
    return emptied is not None and text != ""


def look_into_files(database: Database, person: Wanted) -> list[Looked]:
    """Search the files of an SQLite database; other engines have none.

    They hold what no table shows: free pages, and the log if it could not be emptied.
    """
    if database.dialect != "sqlite":
        return []
    path = Path(str(database.engine.url.database))
    files = [file for file in (path, Path(f"{path}-wal"), Path(f"{path}-journal")) if file.exists()]
    full_names = ["".join(pair) for pair in permutations(person.names, 2)]  # as they lie in a row, side by side
    alive = database.read(lambda connection: _customers_named(connection, full_names))
    return [_look_into_file(file, person, full_names, alive if file == path else 0) for file in files]


def _look_into_file(file: Path, person: Wanted, full_names: Sequence[str], alive: int) -> Looked:
    found = {
        "address": _count(file, _any_of(_forms(person))),
        "name": max(0, _count(file, _any_of(full_names)) - alive),
    }
    only = {what: number for what, number in found.items() if number}
    return Looked(f"file {file.name}", f"{file.stat().st_size} bytes", only)


def _count(file: Path, text: re.Pattern[str]) -> int:
    if not file.stat().st_size:  # nothing to map
        return 0
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return sum(1 for _ in re.finditer(text.pattern.encode(), content, re.IGNORECASE))


def _customers_named(connection: Connection, full_names: Sequence[str]) -> int:
    """How many customers have one of the names; ignores the case of ASCII letters only, as the search of files does."""
    names = [name.encode().lower().decode() for name in full_names]
    has_one = func.lower(customer.c.first_name + customer.c.last_name).in_(names)
    return connection.execute(select(func.count()).select_from(customer).where(has_one)).scalar_one()


def _forms(person: Wanted) -> set[str]:
    """The addresses as typed, in lower and in upper case, and their keys."""
    keys = {email_key(address) or "" for address in person.addresses} - {""}
    return keys | {form for address in person.addresses for form in (address, address.lower(), address.upper())}


def _derived(secret: Secret, person: Wanted) -> set[str]:
    """What only the installation's secret derives from the addresses: the prefixes of the keys of attempts."""
    keys = [key for key in map(email_key, person.addresses) if key]
    marks = (address_mark, attempt_prefix, mailbox_mark)
    return {make(each, key) for each, key, make in product(secret.versions(), keys, marks)}


def _any_of(texts: Sequence[str] | set[str], pattern: str = "{}") -> re.Pattern[str]:
    """A pattern that matches any of the texts; without texts it matches nothing."""
    return re.compile(pattern.format("|".join(map(re.escape, sorted(texts))) or r"(?!)"), re.IGNORECASE)

"""What must be stored when all is over, given a history."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, select

from registration.mail.rendering import MailKind
from registration.storage.database import Database
from registration.storage.tables import customer, email_claim, event, mail
from tests.histories.checker.operation import Kind, Operation
from tests.histories.checker.people import Person
from tests.histories.checker.rules import Model
from tests.histories.checker.violation import Violation

RULE = "what was acknowledged is stored"
AT_A_TIME = 500
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sides:
    """The rows about a customer in other tables."""

    claims: Sequence[Row]
    mails: Sequence[Row]
    events: Sequence[Row]


def check_stored(model: Model, database: Database, arrived: Set[str], now: float) -> list[Violation]:
    """Compare the rows of all customers of a history, of whom none is busy any more; `arrived` has the ids of mails."""
    people = model.people.of_reference
    found = {row["reference"]: row for row in _rows(database, customer, "reference", list(people))}
    ids = [row["id"] for row in found.values()]
    claims, mails, events = (_by_customer(database, table, ids) for table in (email_claim, mail, event))
    violations = []
    for reference, person in people.items():
        row = found.get(reference)
        if row is None:
            violations.append(_violation(f"{reference} has no row", person))
            continue
        violations += _of_row(row, person, Operation(Kind.ME, {"reference": reference}, now, now))
        sides = Sides(claims[row["id"]], mails[row["id"]], events[row["id"]])
        violations += [_violation(what, person) for what in _of_sides(row, sides, arrived)]
    return violations


def _of_row(row: Row, person: Person, read: Operation) -> Iterator[Violation]:
    is_erased = row["anonymized_at"] is not None
    for register, column in ((person.address, "email"), (person.name, "first_name")):
        value = None if is_erased else row[column]
        if not register.may_hold(value, read):
            yield Violation(RULE, f"{column} is {value}", register.evidence(value, read))
    if row["confirmed_at"] is None and person.confirmed.must_hold(True, read):
        yield _violation("it is not confirmed", person)


def _of_sides(row: Row, sides: Sides, arrived: Set[str]) -> Iterator[str]:
    is_erased = row["anonymized_at"] is not None
    claimed = [each["address"] for each in sides.claims]
    if claimed != ([] if is_erased else [row["email"]]):
        yield f"it claims {claimed}"
    if [each["kind"] for each in sides.events].count("customer.created") != 1:
        yield "it has no event, or two"
    if not is_erased and [each["kind"] for each in sides.mails].count(MailKind.CONFIRMATION) != 1:
        yield "it has no mail of confirmation, or two"
    if any(each["status"] == "sent" and str(each["id"]) not in arrived for each in sides.mails):
        yield "a mail of it was sent and has not arrived"


def _violation(what: str, person: Person) -> Violation:
    return Violation(RULE, what, (person.sign_up,))


def _by_customer(database: Database, table: Table, ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Row]]:
    rows: dict[UUID, list[Row]] = defaultdict(list)
    for row in _rows(database, table, "customer_id", ids):
        rows[row["customer_id"]].append(row)
    return rows


def _rows(database: Database, table: Table, column: str, values: Sequence[object]) -> list[dict[str, Any]]:
    def look(connection: Connection) -> list[dict[str, Any]]:
        parts = [values[first : first + AT_A_TIME] for first in range(0, len(values), AT_A_TIME)]
        found = (connection.execute(select(table).where(table.c[column].in_(part))).mappings() for part in parts)
        return [{each.key: row[each] for each in table.columns} for rows in found for row in rows]

    return database.read(look)

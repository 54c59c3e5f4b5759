"""What must be stored at the end: the rows of a small history, and what is wrong when one of them is changed."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import ColumnElement, Connection, Delete, Insert, Update, delete, insert, update

from registration.language import Language
from registration.storage.database import Database
from registration.storage.tables import customer, email_claim, event, mail
from tests.histories.checker.operation import Kind, Operation
from tests.histories.checker.rules import Model, model_of
from tests.histories.stored import check_stored

NOW = datetime(2026, 11, 29, tzinfo=UTC)
ADA, MAIL = UUID(int=1), UUID(int=2)
END = 9.0
GIVEN = {"email": "ada@x", "password": "secret", "name": "Ada"}
HISTORY = [
    Operation(Kind.SIGN_UP, GIVEN, 1, 2, told={"reference": "DE--1"}),
    Operation(Kind.CONFIRM, {"key": "k", "email": "ada@x", "name": "Ada"}, 3, 4),
]
ROW = {
    "id": ADA,
    "reference": "DE--1",
    "email": "ada@x",
    "first_name": "Ada",
    "password_hash": "",
    "language": Language.EN,
    "terms_accepted_at": NOW,
    "created_at": NOW,
    "updated_at": NOW,
    "confirmed_at": NOW,
}
ROWS = (
    insert(customer).values(ROW),
    insert(email_claim).values(address="ada@x", customer_id=ADA),
    insert(event).values(id=UUID(int=3), kind="customer.created", customer_id=ADA, created_at=NOW),
    insert(mail).values(
        id=MAIL,
        bucket=0,
        kind="confirmation",
        customer_id=ADA,
        status="sent",
        attempts=1,
        due_at=NOW,
        created_at=NOW,
    ),
)
IS_ADA: ColumnElement[bool] = customer.c.id == ADA


def found(database: Database, model: Model, arrived: str = str(MAIL)) -> list[str]:
    return [each.what for each in check_stored(model, database, {arrived}, END)]


def store(database: Database, *statements: Insert | Update | Delete) -> None:
    def work(connection: Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    database.write(work)


def test_all_that_was_acknowledged(database: Database) -> None:
    """A customer with row, claim, event and mail breaks no rule."""
    store(database, *ROWS)
    assert found(database, model_of(HISTORY)) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (delete(customer).where(IS_ADA), "DE--1 has no row"),
        (update(customer).where(IS_ADA).values(email="eve@x"), "email is eve@x"),
        (update(customer).where(IS_ADA).values(first_name="Eve"), "first_name is Eve"),
        (update(customer).where(IS_ADA).values(confirmed_at=None), "it is not confirmed"),
        (update(customer).where(IS_ADA).values(anonymized_at=NOW), "email is None"),
        (delete(email_claim), "it claims []"),
        (delete(event), "it has no event, or two"),
        (delete(mail), "it has no mail of confirmation, or two"),
    ],
)
def test_a_row_that_is_not_as_it_was_told(database: Database, change: Update | Delete, what: str) -> None:
    """A row that is lost or has another value is found."""
    store(database, *ROWS, change)
    assert what in found(database, model_of(HISTORY))


def test_a_mail_that_has_not_arrived(database: Database) -> None:
    """A mail that is sent has arrived."""
    store(database, *ROWS)
    assert found(database, model_of(HISTORY), "another") == ["a mail of it was sent and has not arrived"]


def test_an_erased_customer(database: Database) -> None:
    """An erased customer has an empty row and no claim."""
    tokens = {"reference": "DE--1", "session": "s", "access": "a", "refresh": "r"}
    history = [
        *HISTORY,
        Operation(Kind.SIGN_IN, {"email": "ada@x", "password": "secret"}, 5, 6, told=tokens),
        Operation(Kind.ERASE, {"access": "a"}, 7, 8),
    ]
    erased = update(customer).where(IS_ADA).values(anonymized_at=NOW, email="?")
    store(database, *ROWS, erased, delete(email_claim), delete(mail))
    assert found(database, model_of(history)) == []
    store(database, update(customer).where(IS_ADA).values(anonymized_at=None, email="ada@x"))
    assert "email is ada@x" in found(database, model_of(history))

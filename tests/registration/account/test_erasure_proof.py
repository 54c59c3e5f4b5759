"""The proof of an erasure finds every trace, and nothing else."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text, update

from registration.account.erasure import anonymize
from registration.account.erasure_proof import CannotProve, Looked, Wanted, person_of, prove
from registration.limits.address_counts import address_mark
from registration.limits.lockout import attempt_prefix
from registration.services import Services
from registration.sessions.access_tokens import Caller
from registration.storage.tables import attempt, audit, customer, session
from tests.clock import Clock
from tests.registration.callers import BIRTHDAY, EMAIL, WAITING, with_traces_everywhere
from tests.registration.members import CLIENT, confirmed

PERSON = Wanted([EMAIL, WAITING], ["Ada", "Beispiel", BIRTHDAY])


@pytest.fixture
def ada(services: Services) -> Caller:
    return with_traces_everywhere(services)


@pytest.fixture
def erased(services: Services, ada: Caller) -> Caller:
    anonymize(services, ada, None, CLIENT)
    return ada


def looked(services: Services, caller: Caller, person: Wanted = PERSON) -> list[Looked]:
    answer = prove(services.database, services.secret, caller.customer.reference, person)
    assert isinstance(answer, list), answer
    return answer


def found(services: Services, caller: Caller, person: Wanted = PERSON) -> dict[str, dict[str, int]]:
    return {place.place: dict(place.found) for place in looked(services, caller, person) if place.found}


def execute(services: Services, statement: str, **values: object) -> None:
    services.database.write(lambda connection: connection.execute(text(statement), values))


def test_nothing_is_left(services: Services, erased: Caller) -> None:
    """After an erasure the proof finds nothing in any table or file, and says how much it has looked at."""
    places = looked(services, erased)
    assert {place.place: place.found for place in places if place.found} == {}
    assert {place.place for place in places} >= {"table customer", "table audit", "table alembic_version"}
    assert [place.extent for place in places if place.place == "table customer"] == ["1 rows"]
    files = [place for place in places if place.place.startswith("file")]
    assert [place.place for place in files if place.extent != "0 bytes"] == (
        ["file registration.db"] if services.database.dialect == "sqlite" else []
    )


def test_it_finds_every_trace_of_a_customer_who_is_not_erased(services: Services, clock: Clock, ada: Caller) -> None:
    """For a row that is only marked as erased the proof finds the person in every table that has a trace."""
    mark = update(customer).values(anonymized_at=clock.now)
    services.database.write(lambda connection: connection.execute(mark))
    seen = found(services, ada)
    assert seen.pop("table customer") == {
        "email": 1, "salutation": 1, "first_name": 1, "last_name": 1, "gender": 1, "date_of_birth": 1,
        "password_hash": 1,
    }  # fmt: skip
    assert seen.pop("table email_claim") == {"address": 1, "customer_id": 1}
    assert seen.pop("table email_change") == {"email": 1, "customer_id": 1}
    assert seen.pop("table alert_token") == {"email": 1, "customer_id": 1}
    assert seen.pop("table attempt") == {"key": 7}
    assert set(seen.pop("table audit")) == {"client_address"}
    mails = seen.pop("table mail")
    assert mails["recipient"] == 1
    if services.database.dialect == "sqlite":
        assert set(seen.pop("file registration.db")) == {"address"}  # other customers may have the name
    owned = {"table idempotency", "table reset_token", "table export_token", "table used_key", "table session"}
    owned |= {"table refresh_token"}
    assert set(seen) == owned
    assert all(set(columns) == {"customer_id"} for columns in seen.values())


def test_it_needs_an_erased_customer(services: Services) -> None:
    """For an unknown reference, or a customer who is not erased, the proof says why there is none."""
    reference = confirmed(services).reference
    assert prove(services.database, services.secret, reference, PERSON) == CannotProve(f"{reference} was not erased")
    unknown = CannotProve("no customer has the reference DE--0")
    assert prove(services.database, services.secret, "DE--0", PERSON) == unknown


@pytest.mark.parametrize("left", [EMAIL, EMAIL.lower(), f"<{EMAIL.upper()}>", WAITING])
def test_an_address_is_found_in_any_cell(services: Services, erased: Caller, left: str) -> None:
    """The proof finds an address in any cell and spelling, also in rows of no customer."""
    row = {"id": uuid4(), "kind": "sign-in failure", "email_key": left, "created_at": services.clock()}
    services.database.write(lambda connection: connection.execute(audit.insert().values(row)))
    assert found(services, erased)["table audit"] == {"address": 1}


def test_unknown_tables_are_searched(services: Services, erased: Caller) -> None:
    """The proof searches tables that the program does not know."""
    execute(services, "CREATE TABLE newsletter (id INTEGER, email TEXT)")
    execute(services, "INSERT INTO newsletter VALUES (1, :email), (2, 'bob@example.org')", email=EMAIL)
    assert found(services, erased)["table newsletter"] == {"email": 1}


def test_an_id_of_another_kind_is_not_the_customers(services: Services, erased: Caller) -> None:
    """Where another program numbers its customers, their names are no find; an address is one all the same."""
    execute(services, "CREATE TABLE basket (customer_id BIGINT, name TEXT, email TEXT)")
    execute(services, "INSERT INTO basket VALUES (25, 'Ada', ''), (26, 'Ada', :email)", email=EMAIL)
    assert found(services, erased)["table basket"] == {"email": 1}


def test_the_customers_id_is_found_in_every_spelling(services: Services, erased: Caller) -> None:
    """A row of another program that names the customer is a find, and so is a name in it."""
    execute(services, "CREATE TABLE basket (customer_id TEXT, name TEXT)")
    known = erased.customer.id
    for spelling in (str(known), known.hex.upper(), f"{{{known}}}", known.urn):
        execute(services, "INSERT INTO basket VALUES (:spelling, 'Ada')", spelling=spelling)
    assert found(services, erased)["table basket"] == {"customer_id": 4, "name": 4}


@pytest.mark.parametrize("derive", [address_mark, attempt_prefix])
def test_a_derived_key_is_found(services: Services, erased: Caller, derive: Callable[..., str]) -> None:
    """The proof finds the keys of attempts, which the secret derives from an address."""
    key = f"{derive(services.secret, EMAIL.lower())}{'0' * 32}"
    row = {"key": key, "count": 1, "window_ends_at": services.clock()}
    services.database.write(lambda connection: connection.execute(attempt.insert().values(row)))
    assert found(services, erased) == {"table attempt": {"key": 1}}


def test_a_row_that_should_be_gone_is_found(services: Services, erased: Caller) -> None:
    """The proof finds a row that erasure deletes, though it holds no personal data."""
    row = {"id": uuid4(), "customer_id": erased.customer.id, "created_at": services.clock()}
    services.database.write(lambda connection: connection.execute(session.insert().values(row)))
    assert found(services, erased) == {"table session": {"customer_id": 1}}


def test_an_address_that_was_not_named_is_found(services: Services, erased: Caller) -> None:
    """The proof finds any address in the erased row, also one that it was not told to look for."""
    assert found(services, erased, Wanted([], [])) == {}
    execute(services, "UPDATE customer SET email = 'other@example.org'")
    assert found(services, erased) == {"table customer": {"email": 1}}


@pytest.mark.long
@pytest.mark.parametrize("value", ["ada", "Ada Beispiel", "for ADA.", BIRTHDAY])
def test_a_name_is_found_in_rows_of_the_customer_and_of_none(services: Services, erased: Caller, value: str) -> None:
    """The proof finds a name in rows of the erased customer and in rows of no customer."""
    new = [
        {"id": uuid4(), "kind": value, "customer_id": customer_id, "created_at": services.clock()}
        for customer_id in (erased.customer.id, None)
    ]
    services.database.write(lambda connection: connection.execute(audit.insert().values(new)))
    assert found(services, erased)["table audit"] == {"kind": 2}


def test_a_name_is_a_whole_word(services: Services, erased: Caller) -> None:
    """The proof finds names as whole words only: Ada is not found in Adam."""
    row = {"id": uuid4(), "kind": "Adam", "customer_id": None, "created_at": services.clock()}
    services.database.write(lambda connection: connection.execute(audit.insert().values(row)))
    assert found(services, erased) == {}


def test_names_of_other_customers_are_not_found(services: Services, erased: Caller) -> None:
    """Other customers with the same name and birthday are no find, in tables and in files."""
    for number in range(3):
        confirmed(services, email=f"{number}@example.org", firstName="ADA", dateOfBirth=BIRTHDAY)
    assert found(services, erased) == {}


def test_an_address_that_registered_again_is_found(services: Services, erased: Caller) -> None:
    """The proof finds the address when it was signed up again, and names the tables that hold it."""
    confirmed(services, email=EMAIL)
    seen = found(services, erased)
    seen.pop("file registration.db", None)
    assert seen == {"table customer": {"email": 1}, "table email_claim": {"address": 1}}


def test_what_to_look_for_is_read_line_by_line() -> None:
    """A line with an `@` is read as an address, any other as a name; empty lines and outer spaces are ignored."""
    assert person_of(["  a@example.org ", "", "Ada", "de la Cruz", "b@example.org"]) == Wanted(
        ["a@example.org", "b@example.org"], ["Ada", "de la Cruz"]
    )


def test_the_repr_of_what_to_look_for_is_empty() -> None:
    """The repr of what to look for holds no address and no name."""
    assert repr(PERSON) == "Wanted()"


def test_text_that_is_no_address_is_searched_as_it_is(services: Services, erased: Caller) -> None:
    """A text that is no address is searched as it is, and no key is derived from it."""
    assert found(services, erased, Wanted(["@"], [])).keys() >= {"table customer"}


class TestBytes:
    """Finds that only SQLite can have: bytes of its file, and cells that do not fit."""

    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    @pytest.fixture
    def file(self, services: Services) -> Path:
        return Path(str(services.database.engine.url.database))

    def test_a_deleted_row_that_was_not_overwritten_is_found(
        self, services: Services, erased: Caller, file: Path
    ) -> None:
        """The proof finds a row that another program deleted without overwriting its bytes."""
        other_program = sqlite3.connect(file)
        for statement in (
            "PRAGMA secure_delete=OFF",
            "CREATE TABLE copy AS SELECT 'Ada@example.org' AS email, 'ADA' AS first_name, 'Beispiel' AS last_name",
            "DROP TABLE copy",
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ):
            other_program.execute(statement).fetchall()
        other_program.close()
        assert found(services, erased) == {"file registration.db": {"address": 1, "name": 1}}

    def test_a_log_that_a_reader_holds_is_searched(self, services: Services, ada: Caller, file: Path) -> None:
        """The proof finds the person in a log that a reader keeps, and nothing once the reader is gone."""
        reader = sqlite3.connect(file, isolation_level=None)
        reader.execute("BEGIN").close()
        reader.execute("SELECT * FROM customer").fetchall()
        anonymize(services, ada, None, CLIENT)
        assert set(found(services, ada)) & {"file registration.db-wal", "file registration.db"}
        reader.close()
        assert found(services, ada) == {}

    @pytest.mark.long
    def test_pages_of_many_rows_hold_no_trace(self, services: Services, ada: Caller) -> None:
        """Pages that were split and joined while the customer was there hold no trace after the erasure."""
        for number in range(150):
            confirmed(
                services, email=f"{number}@example.org", firstName=f"Name {number}", lastName="x" * (1 + number % 90)
            )
        anonymize(services, ada, None, CLIENT)
        assert found(services, ada) == {}

    def test_a_cell_that_does_not_fit_its_column_is_searched(self, services: Services, erased: Caller) -> None:
        """SQLite lets another program store a number as a date, or the address as a picture."""
        execute(services, "CREATE TABLE basket (bought DATE, paid NUMERIC, picture BLOB)")
        execute(services, "INSERT INTO basket VALUES (1764000000, 'soon', :email)", email=EMAIL)
        assert found(services, erased)["table basket"] == {"picture": 1}

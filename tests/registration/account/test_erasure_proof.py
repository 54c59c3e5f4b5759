"""The proof of an erasure finds what is left, wherever it is, and nothing else."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text, update

from registration.account.erasure import anonymize
from registration.account.erasure_proof import CannotProve, Looked, Person, person_of, prove
from registration.limits.address_limits import address_mark
from registration.limits.lockout import attempt_prefix
from registration.services import Services
from registration.sessions.access_tokens import Caller
from registration.storage.tables import attempt, audit, customer, session
from tests.clock import Clock
from tests.registration.callers import BIRTHDAY, EMAIL, WAITING, with_traces_everywhere
from tests.registration.members import confirmed

PERSON = Person([EMAIL, WAITING], ["Ada", "Beispiel", BIRTHDAY])


@pytest.fixture
def ada(services: Services) -> Caller:
    return with_traces_everywhere(services)


@pytest.fixture
def erased(services: Services, ada: Caller) -> Caller:
    anonymize(services, ada, None)
    return ada


def looked(services: Services, caller: Caller, person: Person = PERSON) -> list[Looked]:
    answer = prove(services.database, services.secret, caller.customer.reference, person)
    assert isinstance(answer, list), answer
    return answer


def found(services: Services, caller: Caller, person: Person = PERSON) -> dict[str, dict[str, int]]:
    return {place.place: dict(place.found) for place in looked(services, caller, person) if place.found}


def execute(services: Services, statement: str, **values: object) -> None:
    services.database.write(lambda connection: connection.execute(text(statement), values))


def test_nothing_is_left(services: Services, erased: Caller) -> None:
    """Not in any of the tables, and not in the bytes of an SQLite file; a line for each says how much there was."""
    places = looked(services, erased)
    assert {place.place: place.found for place in places if place.found} == {}
    assert {place.place for place in places} >= {"table customer", "table audit", "table alembic_version"}
    assert [place.extent for place in places if place.place == "table customer"] == ["1 rows"]
    files = [place for place in places if place.place.startswith("file")]
    assert [place.place for place in files if place.extent != "0 bytes"] == (
        ["file registration.db"] if services.database.dialect == "sqlite" else []
    )


def test_it_sees_everything_before_the_erasure(services: Services, clock: Clock, ada: Caller) -> None:
    """Told that a customer is erased who is not, it finds the person in every place there is."""
    mark = update(customer).values(anonymized_at=clock.now)
    services.database.write(lambda connection: connection.execute(mark))
    seen = found(services, ada)
    assert seen.pop("table customer") == {
        "email": 1, "salutation": 1, "first_name": 1, "last_name": 1, "gender": 1, "date_of_birth": 1,
        "password_hash": 1,
    }  # fmt: skip
    assert seen.pop("table email_claim") == {"address": 1, "customer_id": 1}
    assert seen.pop("table email_change") == {"email": 1, "customer_id": 1}
    assert seen.pop("table attempt") == {"key": 7}
    assert set(seen.pop("table audit")) == {"client_address"}
    mails = seen.pop("table mail")
    assert mails["recipient"] == 1
    if services.database.dialect == "sqlite":
        assert set(seen.pop("file registration.db")) == {"address"}  # others may have the name
    owned = {"table idempotency", "table reset_token", "table session", "table refresh_token"}
    assert set(seen) == owned
    assert all(set(columns) == {"customer_id"} for columns in seen.values())


def test_it_needs_an_erased_customer(services: Services) -> None:
    """Else it says why not."""
    reference = confirmed(services).reference
    assert prove(services.database, services.secret, reference, PERSON) == CannotProve(f"{reference} was not erased")
    unknown = CannotProve("no customer has the reference DE--0")
    assert prove(services.database, services.secret, "DE--0", PERSON) == unknown


@pytest.mark.parametrize("left", [EMAIL, EMAIL.lower(), f"<{EMAIL.upper()}>", WAITING])
def test_an_address_is_found_in_any_cell(services: Services, erased: Caller, left: str) -> None:
    """However it is typed, and in whosever row."""
    row = {"id": uuid4(), "kind": "sign-in failure", "email_key": left, "created_at": services.clock()}
    services.database.write(lambda connection: connection.execute(audit.insert().values(row)))
    assert found(services, erased)["table audit"] == {"address": 1}


def test_tables_that_the_program_does_not_know_are_looked_into(services: Services, erased: Caller) -> None:
    """Left by an older version, for example."""
    execute(services, "CREATE TABLE newsletter (id INTEGER, email TEXT)")
    execute(services, "INSERT INTO newsletter VALUES (1, :email), (2, 'bob@example.org')", email=EMAIL)
    assert found(services, erased)["table newsletter"] == {"email": 1}


@pytest.mark.parametrize("derive", [address_mark, attempt_prefix])
def test_what_is_derived_from_an_address_is_found(
    services: Services, erased: Caller, derive: Callable[..., str]
) -> None:
    """Only who has the installation's secret can look for it."""
    key = f"{derive(services.secret, EMAIL.lower())}{'0' * 32}"
    row = {"key": key, "count": 1, "window_ends_at": services.clock()}
    services.database.write(lambda connection: connection.execute(attempt.insert().values(row)))
    assert found(services, erased) == {"table attempt": {"key": 1}}


def test_a_row_that_should_be_gone_is_found(services: Services, erased: Caller) -> None:
    """Even if it names nobody."""
    row = {"id": uuid4(), "customer_id": erased.customer.id, "created_at": services.clock()}
    services.database.write(lambda connection: connection.execute(session.insert().values(row)))
    assert found(services, erased) == {"table session": {"customer_id": 1}}


@pytest.mark.parametrize("value", ["ada", "Ada Beispiel", "for ADA.", BIRTHDAY])
def test_a_name_is_found_where_nobody_else_may_have_it(services: Services, erased: Caller, value: str) -> None:
    """In a row of the customer, and in one of nobody's."""
    new = [
        {"id": uuid4(), "kind": value, "customer_id": customer_id, "created_at": services.clock()}
        for customer_id in (erased.customer.id, None)
    ]
    services.database.write(lambda connection: connection.execute(audit.insert().values(new)))
    assert found(services, erased)["table audit"] == {"kind": 2}


def test_a_name_is_a_whole_word(services: Services, erased: Caller) -> None:
    """Ada is not in Adam, nor in the digits of a key."""
    row = {"id": uuid4(), "kind": "Adam", "customer_id": None, "created_at": services.clock()}
    services.database.write(lambda connection: connection.execute(audit.insert().values(row)))
    assert found(services, erased) == {}


def test_others_may_have_the_same_name(services: Services, erased: Caller) -> None:
    """In their rows, and in the bytes of those; born on the same day, too."""
    for number in range(3):
        confirmed(services, email=f"{number}@example.org", firstName="ADA", dateOfBirth=BIRTHDAY)
    assert found(services, erased) == {}


def test_an_address_that_registered_again_is_found(services: Services, erased: Caller) -> None:
    """It is there, after all; which tables hold it says how."""
    confirmed(services, email=EMAIL)
    seen = found(services, erased)
    seen.pop("file registration.db", None)
    assert seen == {"table customer": {"email": 1}, "table email_claim": {"address": 1}}


def test_what_to_look_for_is_read_line_by_line() -> None:
    """What has an `@` is an address; empty lines and spaces around do not count."""
    assert person_of(["  a@example.org ", "", "Ada", "de la Cruz", "b@example.org"]) == Person(
        ["a@example.org", "b@example.org"], ["Ada", "de la Cruz"]
    )


def test_what_to_look_for_shows_itself_nowhere() -> None:
    """In no repr."""
    assert repr(PERSON) == "Person()"


def test_what_is_no_address_is_looked_for_as_it_is(services: Services, erased: Caller) -> None:
    """Nothing is derived from it."""
    assert found(services, erased, Person(["@"], [])).keys() >= {"table customer"}


class TestBytes:
    """What only the file of an SQLite database shows."""

    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    @pytest.fixture
    def file(self, services: Services) -> Path:
        return Path(str(services.database.engine.url.database))

    def test_a_deleted_row_that_was_not_overwritten(self, services: Services, erased: Caller, file: Path) -> None:
        """As other programs leave it that write into the file."""
        careless = sqlite3.connect(file)
        for statement in (
            "PRAGMA secure_delete=OFF",
            "CREATE TABLE copy AS SELECT 'Ada@example.org' AS email, 'ADA' AS first_name, 'Beispiel' AS last_name",
            "DROP TABLE copy",
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ):
            careless.execute(statement).fetchall()
        careless.close()
        assert found(services, erased) == {"file registration.db": {"address": 1, "name": 1}}

    def test_a_log_that_a_reader_holds(self, services: Services, ada: Caller, file: Path) -> None:
        """What the file does not show any more, the log still does; when the reader has gone, the proof succeeds."""
        reader = sqlite3.connect(file, isolation_level=None)
        reader.execute("BEGIN").close()
        reader.execute("SELECT * FROM customer").fetchall()
        anonymize(services, ada, None)
        assert set(found(services, ada)) & {"file registration.db-wal", "file registration.db"}
        reader.close()
        assert found(services, ada) == {}

    def test_many_rows(self, services: Services, ada: Caller) -> None:
        """Pages that were split and joined while the person was there hold nothing of it either."""
        for number in range(150):
            confirmed(
                services, email=f"{number}@example.org", firstName=f"Name {number}", lastName="x" * (1 + number % 90)
            )
        anonymize(services, ada, None)
        assert found(services, ada) == {}

"""Sign-up: what it writes and what it answers, on every engine, alone and with many at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, timedelta
from threading import Barrier, Event
from typing import Any

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, select, update
from sqlalchemy.exc import IntegrityError

from harness.lossy_connection import Proxy
from registration.addresses.pending import erase_pending
from registration.customer import Customer, Gender, Salutation
from registration.keys.link_keys import digest
from registration.language import Language
from registration.outcomes import (
    Confirmed,
    EmailTaken,
    IdempotencyConflict,
    Invalid,
    Registered,
    TokenRefused,
    TooManyAttempts,
    ViolationCode,
)
from registration.services import Services
from registration.signing_up.confirmation import confirm, disown
from registration.signing_up.new_account import PreparedSignUp
from registration.signing_up.sign_up import SignUpRequest, prepare
from registration.storage.database import open_database
from registration.storage.references import BLOCK, References
from registration.storage.tables import confirmation_token, counter, customer, email_claim, event, mail
from tests.budgets import sign_up_budget
from tests.clock import Clock
from tests.registration.forms import PASSWORD, form, request
from tests.registration.rules.test_sign_up import ATTRIBUTES, JSON
from tests.registration.signing import sign_up
from tests.registration.stored import WAITING, counts, customers, keys, rows
from tests.waiting import PATIENCE, eventually, wait_for

ONE_PENDING = {"customer": 1, "email_claim": 1, "confirmation_token": 1, "mail": 1, "event": 1, "audit": 1}
KEY = "idempotency-key-1"
ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def registered(services: Services, **changes: object) -> Customer:
    outcome = sign_up(services, request(**changes))
    assert isinstance(outcome, Registered)
    return outcome.customer


class TestRegistered:
    def test_outcome_holds_the_customer(self, services: Services, clock: Clock) -> None:
        """The outcome of a sign-up holds the attributes as typed, and what the installation adds."""
        given = form(email="Ada.Ü@Example.ORG", dateOfBirth="1915-12-10", firstName="Ἀδα 🙂")
        outcome = sign_up(services, SignUpRequest(given, Language("de"), "192.0.2.1"))
        assert isinstance(outcome, Registered)
        assert outcome.confirm_before == clock() + timedelta(days=1)
        assert outcome.customer == Customer(
            id=outcome.customer.id,
            reference="DE--1",
            email="Ada.Ü@Example.ORG",
            salutation=Salutation.MS,
            first_name="Ἀδα 🙂",
            last_name="Beispiel",
            gender=Gender.FEMALE,
            date_of_birth=date(1915, 12, 10),
            language=Language("de"),
            created_at=clock(),
            updated_at=clock(),
            confirmed_at=None,
        )
        assert outcome.customer.id.version == 4

    def test_writes_one_row_of_each_kind(self, services: Services, clock: Clock) -> None:
        """A sign-up writes a customer, claim, token, mail, event and audit row, all of one customer and moment."""
        new = registered(services, email="Ada@Example.ORG")
        assert counts(services.database) == ONE_PENDING
        (row,) = rows(services.database, customer)
        assert {"id": new.id, "email": "Ada@Example.ORG", "terms_accepted_at": clock()}.items() <= row.items()
        assert rows(services.database, email_claim) == [{"address": "ada@example.org", "customer_id": new.id}]
        (job,) = rows(services.database, mail)
        assert {"kind": "confirmation", "status": "waiting", "customer_id": new.id}.items() <= job.items()
        (happened,) = rows(services.database, event)
        assert {"kind": "customer.created", "customer_id": new.id, "created_at": clock()}.items() <= happened.items()

    def test_stores_neither_password_nor_key(self, services: Services) -> None:
        """The database holds the Argon2id hash of the password and the SHA-256 of the key, and neither itself."""
        registered(services)
        (key,) = keys(services.database, services.secret)
        (token,) = rows(services.database, confirmation_token)
        assert token["digest"] == digest(key)
        (row,) = rows(services.database, customer)
        assert PasswordHasher().verify(row["password_hash"], PASSWORD)
        everything = str([rows(services.database, table) for table in (customer, confirmation_token, mail, event)])
        assert PASSWORD not in everything
        assert key not in everything

    def test_references_count_up(self, services: Services) -> None:
        """Customers get references with ascending numbers."""
        found = [registered(services, email=f"{number}@example.org").reference for number in range(3)]
        assert found == ["DE--1", "DE--2", "DE--3"]

    def test_without_confirmation_the_customer_is_confirmed(self, services: Services, clock: Clock) -> None:
        """With confirmation off the customer is confirmed at once, has no token and gets a welcome mail."""
        outcome = sign_up(replace(services, confirmation=None), request())
        assert isinstance(outcome, Registered)
        assert (outcome.confirm_before, outcome.customer.confirmed_at) == (None, clock())
        assert counts(services.database) == {"customer": 1, "email_claim": 1, "mail": 1, "event": 1, "audit": 1}
        (job,) = rows(services.database, mail)
        assert (job["kind"], job["token_id"]) == ("welcome", None)

    @ON_POSTGRESQL
    def test_instants_are_utc_in_any_server_time_zone(self, services: Services, database_url: str) -> None:
        """Instants are in UTC although PostgreSQL answers in the time zone of its session."""
        services.database.write(
            lambda connection: connection.exec_driver_sql(
                "DO $$ BEGIN EXECUTE format("
                "'ALTER DATABASE %%I SET timezone TO ''Asia/Kathmandu''', current_database()); END $$"
            )
        )
        there = open_database(database_url)
        new = registered(replace(services, database=there, references=References(there, "DE")), idempotencyKey=KEY)
        (row,) = rows(there, customer)
        assert row["created_at"] == new.created_at
        assert row["created_at"].tzinfo is UTC
        there.close()


class TestInvalid:
    def test_reports_every_violation_and_writes_nothing(self, services: Services) -> None:
        """Attributes that break rules are answered with every violation; no row, reference or mail is made."""
        outcome = sign_up(services, request(email="ada", firstName="", gender="x"))
        assert isinstance(outcome, Invalid)
        assert [violation.code for violation in outcome.violations] == [
            ViolationCode.NOT_AN_EMAIL,
            ViolationCode.NOT_A_CHOICE,
            ViolationCode.BLANK,
        ]
        assert counts(services.database) == {}
        assert rows(services.database, counter) == [{"name": "customer", "next": 1}]


class TestTaken:
    @pytest.mark.parametrize("email", ["ada@example.org", "ADA@EXAMPLE.org", "ada@ｅｘａｍｐｌｅ.org"])
    def test_pending_address_is_taken(self, services: Services, email: str) -> None:
        """The address of a pending account is taken in every spelling, and the refused sign-up leaves no row."""
        registered(services)
        assert sign_up(services, request(email=email, firstName="Eve")) == EmailTaken()
        assert counts(services.database) == ONE_PENDING
        assert customers(services.database) == [("ada@example.org", "Ada")]

    def test_confirmed_address_is_taken_for_ever(self, services: Services, clock: Clock) -> None:
        """The address of a confirmed customer is still taken after 1000 days."""
        registered(services)
        confirm(services, keys(services.database, services.secret)[0])
        clock.move(timedelta(days=1000))
        assert sign_up(services, request(firstName="Eve")) == EmailTaken()
        assert customers(services.database) == [("ada@example.org", "Ada")]

    def test_address_without_confirmation_is_taken_for_ever(self, services: Services, clock: Clock) -> None:
        """With confirmation off an address is still taken after 1000 days: nothing was pending that could expire."""
        unconfirmed = replace(services, confirmation=None)
        registered(unconfirmed)
        clock.move(timedelta(days=1000))
        assert sign_up(unconfirmed, request()) == EmailTaken()

    def test_look_alike_is_free(self, services: Services) -> None:
        """Addresses that differ in sharp s and ss belong to two customers."""
        registered(services, email="strauss@example.org")
        registered(services, email="strauß@example.org")
        assert counts(services.database)["email_claim"] == 2


class TestExpired:
    def test_address_is_taken_until_its_key_expires(self, services: Services, clock: Clock) -> None:
        """An address is taken a microsecond before its key expires, and free when it expires."""
        registered(services)
        clock.move(timedelta(days=1) - timedelta(microseconds=1))
        assert sign_up(services, request()) == EmailTaken()
        clock.move(timedelta(microseconds=1))
        registered(services)

    def test_account_is_replaced_wholly(self, services: Services, clock: Clock) -> None:
        """An expired account leaves nothing to its successor: no name, password, key, mail or replay."""
        first = registered(services, firstName="Eve", email="ADA@example.org", idempotencyKey=KEY)
        (old_key,) = keys(services.database, services.secret)
        clock.move(timedelta(days=1))
        second = registered(services, firstName="Ada", password="another horse", confirmPassword="another horse")
        assert counts(services.database) == ONE_PENDING | {"event": 2, "audit": 2}
        assert customers(services.database) == [("ada@example.org", "Ada")]
        assert second.id != first.id
        (row,) = rows(services.database, customer)
        assert PasswordHasher().verify(row["password_hash"], "another horse")
        clock.move(timedelta(days=-1))
        assert confirm(services, old_key) == disown(services, old_key) == TokenRefused()
        (new_key,) = keys(services.database, services.secret)
        assert isinstance(confirm(services, new_key), Confirmed)

    def test_one_of_many_replaces_the_account(self, services: Services, clock: Clock) -> None:
        """Of twenty sign-ups at once for an expired address one gets it, and nineteen are told that it is taken."""
        registered(services)
        clock.move(timedelta(days=1))
        with ThreadPoolExecutor(20) as threads:
            outcomes = list(threads.map(lambda name: sign_up(services, request(firstName=str(name))), range(20)))
        assert outcomes.count(EmailTaken()) == 19
        assert counts(services.database) == ONE_PENDING | {"event": 2, "audit": 2}


class TestTogether:
    def test_one_address_at_once_makes_one_customer(self, services: Services, database_url: str) -> None:
        """Of two hundred sign-ups at once for one address one is registered; the others leave no row."""
        # The last sign-up waits for all others, however long they take on a busy machine.
        with_long_wait = open_database(database_url, wait=60)
        services = replace(services, database=with_long_wait, references=References(with_long_wait, "DE"))
        spellings = ["ada@example.org", "ADA@example.org", "Ada@Example.Org"]
        start = Barrier(200, timeout=PATIENCE)

        def join(number: int) -> object:
            start.wait()
            return sign_up(services, request(email=spellings[number % 3], firstName=str(number)))

        with ThreadPoolExecutor(200) as threads:
            outcomes = list(threads.map(join, range(200)))
        assert outcomes.count(EmailTaken()) == 199
        assert counts(with_long_wait) == ONE_PENDING
        with_long_wait.close()

    def test_many_addresses_at_once_make_many_customers(self, services: Services) -> None:
        """Sixty sign-ups for sixty addresses, twenty at once, make sixty customers with references of their own."""
        with ThreadPoolExecutor(20) as threads:
            new = list(threads.map(lambda turn: registered(services, email=f"{turn}@example.org"), range(60)))
        assert len({each.reference for each in new}) == 60
        assert counts(services.database) == {name: 60 * number for name, number in ONE_PENDING.items()}

    @ON_POSTGRESQL
    def test_address_that_is_being_freed_is_waited_for(self, services: Services) -> None:
        """A sign-up waits for the transaction that erases the holder of its address, and then gets the address."""
        first = registered(services)
        is_held = Event()

        def erase(connection: Connection) -> None:
            connection.execute(select(email_claim).with_for_update()).close()
            is_held.set()
            eventually(lambda: connection.exec_driver_sql(WAITING).fetchall())
            erase_pending(connection, first.id)

        with ThreadPoolExecutor(2) as threads:
            erasing = threads.submit(services.database.write, erase)
            wait_for(is_held)
            second = threads.submit(registered, services, firstName="Zoe")
            assert erasing.result() is None
            assert second.result().first_name == "Zoe"
        assert customers(services.database) == [("ada@example.org", "Zoe")]


class TestLimit:
    def test_sign_ups_are_counted_per_client(self, services: Services, clock: Clock) -> None:
        """A client's sign-ups are limited in an hour from the first; taken addresses count, broken rules do not."""
        limited = replace(services, budgets=sign_up_budget(2))
        sign_up(limited, request(email="ada"))
        registered(limited)
        assert sign_up(limited, request()) == EmailTaken()
        clock.move(timedelta(minutes=20))
        assert sign_up(limited, request(email="eve@example.org")) == TooManyAttempts(2400)
        assert isinstance(sign_up(limited, replace(request(email="eve@example.org"), client_ip="::1")), Registered)
        clock.move(timedelta(minutes=40))
        registered(limited, email="zoe@example.org")

    def test_client_ip_is_not_stored(self, services: Services) -> None:
        """The sign-up limit stores a value derived with the secret instead of the client's address."""
        registered(replace(services, budgets=sign_up_budget(2)))
        assert counts(services.database) == ONE_PENDING | {"attempt": 1}
        assert "192.0.2.1" not in str(rows(services.database, customer))

    def test_replay_is_not_counted(self, services: Services) -> None:
        """A client that repeats a request whose answer was lost is not counted again."""
        limited = replace(services, budgets=sign_up_budget(1))
        first = registered(limited, idempotencyKey=KEY)
        assert registered(limited, idempotencyKey=KEY) == first


class TestReplay:
    def test_same_key_and_input_have_one_outcome(self, services: Services, clock: Clock) -> None:
        """The same key with the same input has the customer of the first time for an outcome, within a day."""
        outcome = sign_up(services, request(idempotencyKey=KEY))
        clock.move(timedelta(hours=23))
        assert [sign_up(services, request(idempotencyKey=KEY)) for _ in range(3)] == [outcome] * 3
        assert counts(services.database) == ONE_PENDING | {"idempotency": 1}

    def test_taken_address_is_replayed(self, services: Services) -> None:
        """A key whose first outcome was a taken address has that outcome also when the address has become free."""
        registered(services)
        assert sign_up(services, request(idempotencyKey=KEY)) == EmailTaken()
        disown(services, keys(services.database, services.secret)[0])
        assert sign_up(services, request(idempotencyKey=KEY)) == EmailTaken()
        registered(services)

    @pytest.mark.parametrize(
        "changed",
        [{"firstName": "Eve"}, {"email": "ADA@example.org"}, {"password": "x" * 9, "confirmPassword": "x" * 9}],
        ids=["name", "email", "password"],
    )
    def test_same_key_with_other_input_is_a_conflict(self, services: Services, changed: dict[str, object]) -> None:
        """A used key with other input is answered IdempotencyConflict, and nothing is written."""
        registered(services, idempotencyKey=KEY)
        assert sign_up(services, request(idempotencyKey=KEY, **changed)) == IdempotencyConflict()
        assert counts(services.database) == ONE_PENDING | {"idempotency": 1}

    def test_invalid_input_leaves_the_key_unused(self, services: Services) -> None:
        """A key that was sent with invalid input can be used again with the corrected input."""
        sign_up(services, request(idempotencyKey=KEY, firstName=""))
        registered(services, idempotencyKey=KEY)

    def test_same_key_at_once_has_one_outcome(self, services: Services) -> None:
        """Twenty requests at once with the same key and input are one sign-up, and all get its outcome."""
        with ThreadPoolExecutor(20) as threads:
            outcomes = list(threads.map(lambda _: sign_up(services, request(idempotencyKey=KEY)), range(20)))
        assert isinstance(outcomes[0], Registered)
        assert all(outcome == outcomes[0] for outcome in outcomes)
        assert counts(services.database) == ONE_PENDING | {"idempotency": 1}

    def test_key_is_free_when_its_customer_is_erased(self, services: Services) -> None:
        """The idempotency record goes with its customer: the same request then signs up anew."""
        first = registered(services, idempotencyKey=KEY)
        disown(services, keys(services.database, services.secret)[0])
        assert registered(services, idempotencyKey=KEY).id != first.id

    def test_record_of_an_erased_customer_is_ignored(self, services: Services) -> None:
        """A record whose customer is erased before it is looked up is ignored: the request signs up anew."""
        first = registered(services, idempotencyKey=KEY)

        def erase(connection: Connection) -> None:
            for table, column in ((customer, customer.c.id), (email_claim, email_claim.c.customer_id)):
                connection.execute(delete(table).where(column == first.id))

        services.database.write(erase)
        second = registered(services, idempotencyKey=KEY)
        assert second.id != first.id
        assert registered(services, idempotencyKey=KEY) == second


class TestFaults:
    @ON_POSTGRESQL
    @pytest.mark.parametrize("changes", [{}, {"idempotencyKey": KEY}], ids=["without key", "with key"])
    def test_lost_answer_to_the_commit_makes_no_second_customer(
        self, behind_proxy: tuple[Services, Proxy], changes: dict[str, object]
    ) -> None:
        """When the answer to the commit is lost, the second run finds the first one's rows; the outcome is the same."""
        services, proxy = behind_proxy
        proxy.lose_next_commit()
        new = registered(services, **changes)
        assert proxy.lost == 1
        assert ONE_PENDING.items() <= counts(services.database).items()
        assert [row["id"] for row in rows(services.database, customer)] == [new.id]

    @ON_POSTGRESQL
    def test_lost_answer_does_not_change_a_refusal(self, behind_proxy: tuple[Services, Proxy]) -> None:
        """When the answer to the commit of a refusal is lost, the second run is refused in the same way."""
        services, proxy = behind_proxy
        registered(services)
        assert sign_up(services, request()) == EmailTaken()
        proxy.lose_next_commit()
        assert sign_up(services, request(firstName="Eve", idempotencyKey=KEY)) == EmailTaken()
        assert proxy.lost == 1

    def test_reference_that_exists_raises(self, services: Services) -> None:
        """A reference that exists, as after a counter was set back by hand, raises, and no customer is written."""
        registered(services)
        services.database.write(lambda connection: connection.execute(update(counter).values(next=1)))
        again = replace(services, references=References(services.database, "DE"))
        with pytest.raises(IntegrityError):
            sign_up(again, request(email="eve@example.org"))
        assert counts(services.database) == ONE_PENDING
        assert rows(services.database, counter) == [{"name": "customer", "next": 1 + BLOCK}]


class TestSecrecy:
    def test_representations_hold_no_secret(self, services: Services) -> None:
        """The representation of a request, a prepared sign-up or its customer holds no password, no hash and no key."""
        asked = request(idempotencyKey=KEY)
        prepared = prepare(services, asked)
        assert isinstance(prepared, PreparedSignUp)
        shown = f"{asked!r} {prepared.new!r} {prepared!r} {services!r}"
        assert PASSWORD not in shown
        assert "argon2" not in shown
        assert KEY not in shown


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.fixed_dictionaries({}, optional={name: st.just(form().get(name)) | JSON for name in ATTRIBUTES}))
@example(raw=form(password="\ud800" * 7, confirmPassword="\ud800" * 7, idempotencyKey="\ud800" * 16))
def test_any_attributes_have_an_outcome(services: Services, raw: dict[str, Any]) -> None:
    """Whatever attributes JSON can hold, a sign-up has an outcome and does not raise."""
    outcome = sign_up(services, SignUpRequest(raw, Language.EN, ""))
    assert isinstance(outcome, Registered | Invalid | EmailTaken)

"""Profiles on real databases: what changes at once."""

from datetime import date, timedelta

import pytest
from sqlalchemy import delete

from registration.account.profile import update_profile
from registration.outcomes import EmailTaken, Gone, Invalid, Updated, UpdateOutcome, ViolationCode
from registration.services import Services
from registration.sessions.access_tokens import Caller
from registration.storage.tables import audit, customer, email_change, event
from tests.clock import Clock
from tests.registration.callers import caller_of
from tests.registration.members import CLIENT, confirmed, member
from tests.registration.stored import rows


@pytest.fixture
def caller(services: Services) -> Caller:
    """Ada, who is signed in."""
    return caller_of(services, member(services, dateOfBirth="1984-05-17").tokens)


def update(services: Services, caller: Caller, **sent: object) -> UpdateOutcome:
    return update_profile(services, caller, sent, CLIENT)


def updated(outcome: UpdateOutcome) -> Updated:
    assert isinstance(outcome, Updated)
    return outcome


def test_what_is_sent_changes_and_the_rest_stays(services: Services, clock: Clock, caller: Caller) -> None:
    """The answer is the whole customer."""
    clock.move(timedelta(minutes=1))
    person = updated(update(services, caller, firstName="Zoë", salutation="Dr")).customer
    assert (person.first_name, person.salutation, person.updated_at) == ("Zoë", "Dr", clock.now)
    kept = ("id", "reference", "email", "last_name", "gender", "date_of_birth", "created_at", "confirmed_at")
    assert [getattr(person, name) for name in kept] == [getattr(caller.customer, name) for name in kept]
    assert [row["first_name"] for row in rows(services.database, customer)] == ["Zoë"]
    assert [row["kind"] for row in rows(services.database, event)].count("customer.updated") == 1
    changes = [row["client_ip"] for row in rows(services.database, audit) if row["kind"] == "profile change"]
    assert changes == [CLIENT]


def test_every_attribute_can_change(services: Services, caller: Caller) -> None:
    """All at once, too."""
    person = updated(
        update(
            services, caller, firstName="Bo", lastName="Li", gender="Male", salutation="Mr", dateOfBirth="2001-02-03"
        )
    ).customer
    assert (person.first_name, person.last_name, person.gender, person.salutation, person.date_of_birth) == (
        "Bo",
        "Li",
        "Male",
        "Mr",
        date(2001, 2, 3),
    )


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_date_of_birth_can_be_cleared(services: Services, caller: Caller, nothing: str | None) -> None:
    """By null, or by the empty text of a form."""
    assert updated(update(services, caller, dateOfBirth=nothing)).customer.date_of_birth is None


@pytest.mark.parametrize("sent", [{}, {"shoeSize": "1", "createdAt": "x"}, {"firstName": "Ada"}])
def test_nothing_to_change_changes_nothing(
    services: Services, clock: Clock, caller: Caller, sent: dict[str, object]
) -> None:
    """Nothing sent, nothing known, or what is stored already: the row stays as it is, to the moment."""
    before = rows(services.database, customer)
    clock.move(timedelta(minutes=1))
    assert updated(update_profile(services, caller, sent, CLIENT)).customer == caller.customer
    assert rows(services.database, customer) == before


def test_a_password_is_never_stored(services: Services, caller: Caller) -> None:
    """Legacy clients may send one; it must keep the rules, and is then ignored (contract 4.5)."""
    before = rows(services.database, customer)
    updated(update(services, caller, password="another one", confirmPassword="another one"))
    assert rows(services.database, customer) == before


def test_all_or_nothing(services: Services, caller: Caller) -> None:
    """One broken rule, or a taken address, and nothing changes."""
    confirmed(services, email="bob@example.org", firstName="Bob")
    outcome = update(services, caller, firstName="Zoë", lastName=None)
    assert isinstance(outcome, Invalid)
    assert [(found.attribute, found.code) for found in outcome.violations] == [("lastName", ViolationCode.BLANK)]
    assert update(services, caller, firstName="Zoë", email="bob@example.org") == EmailTaken()
    assert {row["first_name"] for row in rows(services.database, customer)} == {"Ada", "Bob"}


def test_the_same_address_typed_otherwise_is_stored_at_once(services: Services, caller: Caller) -> None:
    """It is proven already."""
    outcome = updated(update(services, caller, email="Ada@EXAMPLE.org"))
    assert (outcome.customer.email, outcome.pending_email) == ("Ada@EXAMPLE.org", None)
    assert rows(services.database, email_change) == []


def test_who_was_erased_a_moment_ago_is_gone(services: Services, caller: Caller) -> None:
    """Between the look at the token and the change."""
    services.database.write(lambda connection: connection.execute(delete(customer)))
    assert update(services, caller, firstName="Zoë") == Gone()


def test_an_outcome_shows_no_address(services: Services, caller: Caller) -> None:
    """The one that waits is in no repr."""
    outcome = updated(update(services, caller, email="new@example.org"))
    assert outcome.pending_email == "new@example.org"
    assert "new@example.org" not in repr(outcome)

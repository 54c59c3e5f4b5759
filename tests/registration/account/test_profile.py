"""Profiles on real databases: what changes at once."""

from dataclasses import replace
from datetime import date, timedelta
from functools import partial

import pytest
from sqlalchemy import delete

from registration.account.profile import RECENT, update_profile
from registration.outcomes import (
    BadCredentials,
    EmailTaken,
    Gone,
    Invalid,
    Tokens,
    Updated,
    UpdateOutcome,
    Violation,
    ViolationCode,
)
from registration.services import Services
from registration.sessions.access_tokens import Caller
from registration.sessions.sessions import end_sessions, refresh
from registration.storage.tables import audit, customer, email_change, event
from tests.clock import Clock
from tests.registration.callers import caller_of
from tests.registration.forms import PASSWORD
from tests.registration.members import CLIENT, confirmed, member
from tests.registration.signing import sign_in
from tests.registration.stored import rows


@pytest.fixture
def caller(services: Services) -> Caller:
    """The customer Ada, signed in."""
    return caller_of(services, member(services, dateOfBirth="1984-05-17").tokens)


def update(services: Services, caller: Caller, **sent: object) -> UpdateOutcome:
    return update_profile(services, caller, sent, CLIENT)


def updated(outcome: UpdateOutcome) -> Updated:
    assert isinstance(outcome, Updated)
    return outcome


def test_what_is_sent_changes_and_the_rest_stays(services: Services, clock: Clock, caller: Caller) -> None:
    """Attributes that are sent change, the others stay; the outcome is the whole customer. The change is audited."""
    clock.move(timedelta(minutes=1))
    changed = updated(update(services, caller, firstName="Zoë", salutation="Dr")).customer
    assert (changed.first_name, changed.salutation, changed.updated_at) == ("Zoë", "Dr", clock.now)
    kept = ("id", "reference", "email", "last_name", "gender", "date_of_birth", "created_at", "confirmed_at")
    assert [getattr(changed, name) for name in kept] == [getattr(caller.customer, name) for name in kept]
    assert [row["first_name"] for row in rows(services.database, customer)] == ["Zoë"]
    assert [row["kind"] for row in rows(services.database, event)].count("customer.updated") == 1
    changes = [row["client_ip"] for row in rows(services.database, audit) if row["kind"] == "profile change"]
    assert changes == [CLIENT]


class TestAnotherAddress:
    def test_needs_a_recent_sign_in(self, services: Services, clock: Clock, caller: Caller) -> None:
        """For ten minutes the sign-in suffices, however old the access token; then the password is missing."""
        clock.move(timedelta(minutes=10) - timedelta(microseconds=1))
        assert updated(update(services, caller, email="new@example.net")).pending_email == "new@example.net"
        clock.move(timedelta(microseconds=1))
        missing = Invalid((Violation("password", ViolationCode.MISSING),))
        assert update(services, caller, email="other@example.net") == missing

    def test_is_not_helped_by_a_refresh(self, services: Services, clock: Clock) -> None:
        """A refreshed access token has the age of its sign-in."""
        clock.move(RECENT)
        tokens = member(services).tokens
        clock.move(RECENT)
        refreshed = refresh(services, tokens.refresh_token, CLIENT)
        assert isinstance(refreshed, Tokens)
        assert isinstance(update(services, caller_of(services, refreshed), email="new@example.net"), Invalid)

    def test_needs_the_right_password(self, services: Services, caller: Caller) -> None:
        """A password that is sent must be right, also after a recent sign-in."""
        email = {"email": "new@example.net"}
        assert update_profile(services, caller, email, CLIENT, password="wrong") == BadCredentials()
        assert rows(services.database, email_change) == []
        updated(update_profile(services, caller, email, CLIENT, password=PASSWORD))

    def test_needs_nothing_where_the_token_suffices(self, services: Services, clock: Clock, caller: Caller) -> None:
        """In the legacy contract the access token suffices."""
        clock.move(RECENT)
        updated(update_profile(services, caller, {"email": "new@example.net"}, CLIENT, token_suffices=True))

    def test_is_told_after_the_rules(self, services: Services, clock: Clock, caller: Caller) -> None:
        """Broken rules are told before the missing password; another spelling of the present address needs none."""
        clock.move(RECENT)
        outcome = update(services, caller, email="new@example.net", firstName="")
        assert isinstance(outcome, Invalid)
        assert [found.attribute for found in outcome.violations] == ["firstName"]
        updated(update(services, caller, email="ADA@example.org"))


def test_every_attribute_can_change(services: Services, caller: Caller) -> None:
    """All attributes of the profile change in one request."""
    changed = updated(
        update(
            services, caller, firstName="Bo", lastName="Li", gender="Male", salutation="Mr", dateOfBirth="2001-02-03"
        )
    ).customer
    assert (changed.first_name, changed.last_name, changed.gender, changed.salutation, changed.date_of_birth) == (
        "Bo",
        "Li",
        "Male",
        "Mr",
        date(2001, 2, 3),
    )


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_date_of_birth_can_be_cleared(services: Services, caller: Caller, nothing: str | None) -> None:
    """A date of birth is cleared by null and by the empty text of a form."""
    assert updated(update(services, caller, dateOfBirth=nothing)).customer.date_of_birth is None


@pytest.mark.parametrize("sent", [{}, {"shoeSize": "1", "createdAt": "x"}, {"firstName": "Ada"}])
def test_nothing_to_change_changes_nothing(
    services: Services, clock: Clock, caller: Caller, sent: dict[str, object]
) -> None:
    """A request with nothing, with unknown attributes or with stored values leaves the row as it is."""
    before = rows(services.database, customer)
    clock.move(timedelta(minutes=1))
    assert updated(update_profile(services, caller, sent, CLIENT)).customer == caller.customer
    assert rows(services.database, customer) == before


def test_a_password_is_ignored(services: Services, caller: Caller) -> None:
    """A password that a legacy client sends must keep the rules and is then ignored (contract 4.5)."""
    before = rows(services.database, customer)
    updated(update(services, caller, password="another one", confirmPassword="another one"))
    assert rows(services.database, customer) == before


def test_all_or_nothing(services: Services, caller: Caller) -> None:
    """One broken rule or a taken address keeps every attribute of the request from changing."""
    confirmed(services, email="bob@example.org", firstName="Bob")
    outcome = update(services, caller, firstName="Zoë", lastName=None)
    assert isinstance(outcome, Invalid)
    assert [(found.attribute, found.code) for found in outcome.violations] == [("lastName", ViolationCode.BLANK)]
    assert update(services, caller, firstName="Zoë", email="bob@example.org") == EmailTaken()
    assert {row["first_name"] for row in rows(services.database, customer)} == {"Ada", "Bob"}


def test_another_spelling_of_the_address_is_stored_at_once(services: Services, caller: Caller) -> None:
    """Another spelling of the customer's address is stored at once, because the address is proven already."""
    outcome = updated(update(services, caller, email="Ada@EXAMPLE.org"))
    assert (outcome.customer.email, outcome.pending_email) == ("Ada@EXAMPLE.org", None)
    assert rows(services.database, email_change) == []


def test_an_international_mailbox_that_is_there_stays(services: Services) -> None:
    """A customer whose mailbox the mail server can no longer write to can change the rest of the profile."""
    caller = caller_of(services, member(services, email="ädä@example.org").tokens)
    lacking = replace(services, smtputf8=False)
    assert updated(update(lacking, caller, email="ÄDÄ@example.org", firstName="Zoë")).customer.first_name == "Zoë"


def test_an_erased_customer_is_gone(services: Services, caller: Caller) -> None:
    """A change by a customer who was erased after authentication is answered Gone."""
    services.database.write(lambda connection: connection.execute(delete(customer)))
    assert update(services, caller, firstName="Zoë") == Gone()


def test_the_repr_of_an_outcome_holds_no_address(services: Services, caller: Caller) -> None:
    """The repr of an outcome does not hold the pending address."""
    outcome = updated(update(services, caller, email="new@example.org"))
    assert outcome.pending_email == "new@example.org"
    assert "new@example.org" not in repr(outcome)


@pytest.mark.parametrize("sent", [{"firstName": "Zoë"}, {"email": "eve@example.net"}])
def test_a_session_that_ended_meanwhile_changes_nothing(
    services: Services, caller: Caller, sent: dict[str, object]
) -> None:
    """A change that was on its way when all sessions were ended, as by a new password, is answered Gone."""
    sign_in(services, caller.customer.email, PASSWORD, CLIENT)
    ended = partial(end_sessions, customer_id=caller.customer.id, now=services.clock(), keep=None)
    services.database.write(ended)
    before = rows(services.database, customer)
    assert update(services, caller, **sent) == Gone()
    assert rows(services.database, customer) == before
    assert rows(services.database, email_change) == []

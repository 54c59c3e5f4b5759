"""Password changes on real databases."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from registration.account.profile import update_profile
from registration.hashing.passwords import Passwords
from registration.outcomes import BadCredentials, Done, Invalid, RefreshRefused, Tokens, ViolationCode
from registration.passwords.change import change_password
from registration.passwords.reset import request_reset
from registration.rules.password import PasswordPolicy
from registration.services import Services
from registration.sessions.access_tokens import authenticate
from registration.sessions.sessions import refresh
from registration.sessions.sign_in import sign_in
from registration.storage.tables import audit, customer, email_change, event, mail, reset_token
from tests.clock import Clock
from tests.registration.callers import caller_of
from tests.registration.forms import PASSWORD
from tests.registration.members import CLIENT, Member, member, signed_in
from tests.registration.stored import rows

EMAIL = "ada@example.org"
NEW = "brand new horse"
STRICT = PasswordPolicy(deny_list=frozenset({"12345678"}))


class Interrupted(Passwords):
    """Something happens while it hashes."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__(memory_kib=8, time_cost=1, parallelism=1, slots=1)
        self.meanwhile = meanwhile

    def hash(self, password: str) -> str:
        self.meanwhile()
        return super().hash(password)


@pytest.fixture
def ada(services: Services) -> Member:
    return member(services)


def form(old: object = PASSWORD, new: object = NEW, confirmation: object = NEW) -> dict[str, object]:
    return {"password": old, "newPassword": new, "confirmPassword": confirmation}


def codes(outcome: object) -> list[tuple[str, ViolationCode]]:
    assert isinstance(outcome, Invalid)
    return [(violation.attribute, violation.code) for violation in outcome.violations]


def test_the_new_password_signs_in(services: Services, clock: Clock, ada: Member) -> None:
    """And the old one does not; the row says when."""
    clock.move(timedelta(minutes=1))
    assert change_password(services, caller_of(services, ada.tokens), form(), CLIENT) == Done()
    assert sign_in(services, EMAIL, PASSWORD, CLIENT) == BadCredentials()
    assert isinstance(sign_in(services, EMAIL, NEW, CLIENT), Tokens)
    [row] = rows(services.database, customer)
    assert (row["password_changed_at"], row["updated_at"]) == (clock.now, clock.now)


def test_the_callers_session_goes_on_and_all_others_end(services: Services, clock: Clock, ada: Member) -> None:
    """The caller's refresh token gets new tokens; every access token of before is refused, the caller's too."""
    other = signed_in(services)
    change_password(services, caller_of(services, ada.tokens), form(), CLIENT)
    clock.move(timedelta(seconds=1))
    assert refresh(services, other.refresh_token, CLIENT) == RefreshRefused()
    assert authenticate(services, ada.tokens.access_token) is None
    fresh = refresh(services, ada.tokens.refresh_token, CLIENT)
    assert isinstance(fresh, Tokens)
    assert caller_of(services, fresh).customer.id == ada.customer.id


def test_no_mail_is_sent(services: Services, ada: Member) -> None:
    """As the contract has it (section 7)."""
    before = len(rows(services.database, mail))
    change_password(services, caller_of(services, ada.tokens), form(), CLIENT)
    assert len(rows(services.database, mail)) == before


def test_what_was_asked_for_under_the_old_password_is_forgotten(services: Services, ada: Member) -> None:
    """A key to a new password, and an address that waits: they may be those of a thief."""
    request_reset(services, EMAIL, CLIENT)
    update_profile(services, caller_of(services, ada.tokens), {"email": "eve@example.org"}, CLIENT)
    change_password(services, caller_of(services, ada.tokens), form(), CLIENT)
    assert rows(services.database, reset_token) == rows(services.database, email_change) == []


def test_it_is_told_and_audited(services: Services, ada: Member) -> None:
    """One event without a person, one row of the trail with the client's address."""
    change_password(services, caller_of(services, ada.tokens), form(), "192.0.2.9")
    assert [row["kind"] for row in rows(services.database, event)][-1] == "customer.password_changed"
    trail = {(row["kind"], row["client_ip"]) for row in rows(services.database, audit)}
    assert ("password change", "192.0.2.9") in trail


class TestOrder:
    """Ruling 5: mismatch, then the current password, then the policy."""

    def test_a_wrong_password_is_told_after_a_mismatch(self, services: Services, ada: Member) -> None:
        caller = caller_of(services, ada.tokens)
        found = codes(change_password(services, caller, form("wrong", NEW, "other horse"), CLIENT))
        assert found == [("confirmPassword", ViolationCode.PASSWORDS_DIFFER)]
        assert change_password(services, caller, form("wrong"), CLIENT) == BadCredentials()

    def test_a_wrong_password_is_told_before_the_policy(self, services: Services, ada: Member) -> None:
        """What is on the deny list is not told to who does not know the password."""
        services = replace(services, policy=STRICT)
        caller, common = caller_of(services, ada.tokens), "12345678"
        assert change_password(services, caller, form("wrong", common, common), CLIENT) == BadCredentials()
        found = codes(change_password(services, caller, form(PASSWORD, common, common), CLIENT))
        assert found == [("newPassword", ViolationCode.PASSWORD_COMMON)]
        assert isinstance(sign_in(services, EMAIL, PASSWORD, CLIENT), Tokens)

    def test_all_that_breaks_a_rule_is_told_together(self, services: Services, ada: Member) -> None:
        """As soon as one of the earlier rules is broken, those of the policy are told with it."""
        services = replace(services, policy=STRICT)
        found = codes(change_password(services, caller_of(services, ada.tokens), form("", "12345678", "1"), CLIENT))
        assert found == [
            ("password", ViolationCode.BLANK),
            ("newPassword", ViolationCode.PASSWORD_COMMON),
            ("confirmPassword", ViolationCode.TOO_SHORT),
            ("confirmPassword", ViolationCode.PASSWORDS_DIFFER),
        ]


@pytest.mark.parametrize("old", ["wrong", PASSWORD.upper(), "\ud800", "x" * 5000])
def test_another_password_changes_nothing(services: Services, ada: Member, old: str) -> None:
    """Whatever it is made of."""
    before = rows(services.database, customer)
    assert change_password(services, caller_of(services, ada.tokens), form(old), CLIENT) == BadCredentials()
    assert rows(services.database, customer) == before


def test_the_same_password_again_is_a_change(services: Services, ada: Member) -> None:
    """The contract does not refuse it; the hash is new all the same."""
    [before] = rows(services.database, customer)
    assert (
        change_password(services, caller_of(services, ada.tokens), form(PASSWORD, PASSWORD, PASSWORD), CLIENT) == Done()
    )
    [after] = rows(services.database, customer)
    assert after["password_hash"] != before["password_hash"]


def test_a_password_that_changed_meanwhile_is_not_written_over(services: Services, ada: Member) -> None:
    """A reset that comes between the look at the old password and the writing of the new one wins."""

    def meanwhile() -> None:
        services.database.write(lambda connection: connection.execute(update(customer).values(password_hash="other")))

    caller = caller_of(services, ada.tokens)
    with closing(Interrupted(meanwhile)) as passwords:
        outcome = change_password(replace(services, passwords=passwords), caller, form(), CLIENT)
    assert outcome == BadCredentials()
    assert [row["password_hash"] for row in rows(services.database, customer)] == ["other"]

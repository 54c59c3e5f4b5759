"""Password changes on real databases."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Connection, update

from registration.account.profile import update_profile
from registration.hashing.passwords import Passwords
from registration.mail.rendering import MailKind
from registration.outcomes import BadCredentials, Done, Invalid, RefreshRefused, Tokens, ViolationCode
from registration.passwords.change import change_password
from registration.passwords.reset import request_reset
from registration.rules.password import PasswordPolicy
from registration.services import Services
from registration.sessions.access_tokens import BadToken
from registration.sessions.sessions import refresh
from registration.storage.tables import audit, customer, email_change, event, mail, reset_token
from tests.clock import Clock
from tests.registration.callers import authenticate, caller_of
from tests.registration.forms import PASSWORD
from tests.registration.members import CLIENT, Member, member, signed_in
from tests.registration.signing import sign_in
from tests.registration.stored import rows

EMAIL = "ada@example.org"
NEW = "brand new horse"
STRICT = PasswordPolicy(deny_list=frozenset({"12345678"}))


class Interrupted(Passwords):
    """Calls `meanwhile` before it hashes."""

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
    """After a change the new password signs in, the old one does not, and the row has the moment."""
    clock.move(timedelta(minutes=1))
    assert change_password(services, caller_of(services, ada.tokens), form(), CLIENT) == Done()
    assert sign_in(services, EMAIL, PASSWORD, CLIENT) == BadCredentials()
    assert isinstance(sign_in(services, EMAIL, NEW, CLIENT), Tokens)
    [row] = rows(services.database, customer)
    assert (row["password_changed_at"], row["updated_at"]) == (clock.now, clock.now)


def test_the_current_password_may_have_an_older_form(services: Services, ada: Member) -> None:
    """The current password is compared in its prepared form, and in the form that was typed if that has the hash."""
    typed = "gru\u0308n und blau"
    for hashed in (typed, "gr\u00fcn und blau"):
        stored = update(customer).values(password_hash=services.passwords.hash(hashed))
        services.database.write(partial(Connection.execute, statement=stored))
        caller = caller_of(services, signed_in(services, password=typed))
        assert change_password(services, caller, form(old=typed), CLIENT) == Done()


def test_the_callers_session_goes_on_and_all_others_end(services: Services, clock: Clock, ada: Member) -> None:
    """A change ends all other sessions; the caller's refresh token works, but no access token from before."""
    other = signed_in(services)
    change_password(services, caller_of(services, ada.tokens), form(), CLIENT)
    clock.move(timedelta(seconds=1))
    assert refresh(services, other.refresh_token, CLIENT) == RefreshRefused()
    assert authenticate(services, ada.tokens.access_token) is BadToken.REVOKED
    fresh = refresh(services, ada.tokens.refresh_token, CLIENT)
    assert isinstance(fresh, Tokens)
    assert caller_of(services, fresh).customer.id == ada.customer.id


def test_a_mail_tells_the_customer(services: Services, ada: Member) -> None:
    """A change enqueues the mail "password changed"; a change that is refused does not."""
    before = len(rows(services.database, mail))
    change_password(services, caller_of(services, ada.tokens), form(old="wrong"), CLIENT)
    assert len(rows(services.database, mail)) == before
    change_password(services, caller_of(services, ada.tokens), form(), CLIENT)
    [told] = [row for row in rows(services.database, mail) if row["kind"] == MailKind.PASSWORD_CHANGED]
    assert told["customer_id"] == ada.customer.id


def test_no_mail_is_sent_where_none_is_wanted(services: Services, ada: Member) -> None:
    """Without a notice a change enqueues no mail (contract section 7)."""
    before = rows(services.database, mail)
    change_password(services, caller_of(services, ada.tokens), form(), CLIENT, sends_notice=False)
    assert rows(services.database, mail) == before


def test_reset_key_and_pending_address_are_deleted(services: Services, ada: Member) -> None:
    """A change deletes the reset key and the pending address, which a thief may have asked for."""
    request_reset(services, EMAIL, CLIENT)
    update_profile(services, caller_of(services, ada.tokens), {"email": "eve@example.org"}, CLIENT)
    change_password(services, caller_of(services, ada.tokens), form(), CLIENT)
    assert rows(services.database, reset_token) == rows(services.database, email_change) == []


def test_it_is_recorded(services: Services, ada: Member) -> None:
    """A change writes an event, and an audit row with the client's address."""
    change_password(services, caller_of(services, ada.tokens), form(), "192.0.2.9")
    assert [row["kind"] for row in rows(services.database, event)][-1] == "customer.password_changed"
    trail = {(row["kind"], row["client_ip"]) for row in rows(services.database, audit)}
    assert ("password change", "192.0.2.9") in trail


class TestOrder:
    """Ruling 5: mismatch, then the current password, then the policy."""

    def test_a_wrong_password_is_told_after_a_mismatch(self, services: Services, ada: Member) -> None:
        """A mismatch is told before a wrong current password."""
        caller = caller_of(services, ada.tokens)
        found = codes(change_password(services, caller, form("wrong", NEW, "other horse"), CLIENT))
        assert found == [("confirmPassword", ViolationCode.PASSWORDS_DIFFER)]
        assert change_password(services, caller, form("wrong"), CLIENT) == BadCredentials()

    def test_a_wrong_password_is_told_before_the_policy(self, services: Services, ada: Member) -> None:
        """With a wrong current password no violation of the policy is told; with the right one it is."""
        services = replace(services, policy=STRICT)
        caller, common = caller_of(services, ada.tokens), "12345678"
        assert change_password(services, caller, form("wrong", common, common), CLIENT) == BadCredentials()
        found = codes(change_password(services, caller, form(PASSWORD, common, common), CLIENT))
        assert found == [("newPassword", ViolationCode.PASSWORD_COMMON)]
        assert isinstance(sign_in(services, EMAIL, PASSWORD, CLIENT), Tokens)

    def test_own_words_are_told_with_the_right_password(self, services: Services, ada: Member) -> None:
        """A new password of the customer's own words is refused as one of the list."""
        services = replace(services, policy=STRICT)
        caller = caller_of(services, ada.tokens)
        found = codes(change_password(services, caller, form(PASSWORD, "Beispiel-1", "Beispiel-1"), CLIENT))
        assert found == [("newPassword", ViolationCode.PASSWORD_COMMON)]

    def test_every_violation_is_told_together(self, services: Services, ada: Member) -> None:
        """When an earlier rule is broken, the violations of the policy are told with it."""
        services = replace(services, policy=STRICT)
        found = codes(change_password(services, caller_of(services, ada.tokens), form("", "12345678", "1"), CLIENT))
        assert found == [
            ("password", ViolationCode.BLANK),
            ("newPassword", ViolationCode.PASSWORD_COMMON),
            ("confirmPassword", ViolationCode.TOO_SHORT),
            ("confirmPassword", ViolationCode.PASSWORDS_DIFFER),
        ]


@pytest.mark.parametrize("old", ["wrong", PASSWORD.upper(), "\ud800", "x" * 5000])
def test_a_wrong_password_changes_nothing(services: Services, ada: Member, old: str) -> None:
    """A wrong current password of any text is refused, and the row stays as it is."""
    before = rows(services.database, customer)
    assert change_password(services, caller_of(services, ada.tokens), form(old), CLIENT) == BadCredentials()
    assert rows(services.database, customer) == before


def test_the_same_password_again_is_a_change(services: Services, ada: Member) -> None:
    """A change to the same password is accepted, as in the contract, and stores a new hash."""
    [before] = rows(services.database, customer)
    assert (
        change_password(services, caller_of(services, ada.tokens), form(PASSWORD, PASSWORD, PASSWORD), CLIENT) == Done()
    )
    [after] = rows(services.database, customer)
    assert after["password_hash"] != before["password_hash"]


def test_a_password_that_changed_meanwhile_is_kept(services: Services, ada: Member) -> None:
    """A password that another request has stored between check and write is kept, and the change is refused."""

    def meanwhile() -> None:
        services.database.write(lambda connection: connection.execute(update(customer).values(password_hash="other")))

    caller = caller_of(services, ada.tokens)
    with closing(Interrupted(meanwhile)) as passwords:
        outcome = change_password(replace(services, passwords=passwords), caller, form(), CLIENT)
    assert outcome == BadCredentials()
    assert [row["password_hash"] for row in rows(services.database, customer)] == ["other"]

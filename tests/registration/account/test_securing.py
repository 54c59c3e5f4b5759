""" "This was not me": what the key of a mail about security ends, gives back and begins."""

from datetime import timedelta
from functools import partial

import pytest

from registration.account.email_change import confirm_email_change
from registration.account.erasure import anonymize
from registration.account.profile import update_profile
from registration.account.securing import is_alert_key, secure_account
from registration.keys.link_keys import alert_key, email_change_key, reset_key
from registration.mail.rendering import MailKind
from registration.outcomes import BadCredentials, Confirmed, Done, EmailTaken, RefreshRefused, TokenRefused, Tokens
from registration.passwords.change import change_password
from registration.passwords.reset import reset
from registration.services import Services
from registration.sessions.access_tokens import BadToken, Caller
from registration.sessions.alerts import LIFETIME
from registration.sessions.devices import Device
from registration.sessions.sessions import refresh
from registration.storage.tables import alert_token, audit, customer, email_change, mail, session
from tests.clock import Clock
from tests.registration.callers import authenticate, caller_of
from tests.registration.forms import PASSWORD, request
from tests.registration.members import CLIENT, confirmed, member, signed_in
from tests.registration.sessions.test_sessions import at_once
from tests.registration.signing import sign_in, sign_up
from tests.registration.stored import rows

ADA, EVE = "Ada@Example.org", "eve@example.net"
NEW = "brand new horse"
INTRUDER = "203.0.113.66"


@pytest.fixture
def ada(services: Services) -> Caller:
    return caller_of(services, member(services, email=ADA).tokens)


def keys(services: Services, kind: MailKind) -> list[str]:
    derive = {MailKind.RESET: reset_key, MailKind.EMAIL_CHANGE: email_change_key}.get(kind, alert_key)
    posted = sorted(rows(services.database, mail), key=lambda row: row["created_at"])
    return [derive(services.secret, row["token_id"]) for row in posted if row["kind"] == kind]


def change(services: Services, caller: Caller) -> str:
    """An intruder changes the password; the key of the mail."""
    form = {"password": PASSWORD, "newPassword": NEW, "confirmPassword": NEW}
    assert change_password(services, caller, form, INTRUDER) == Done()
    return keys(services, MailKind.PASSWORD_CHANGED)[-1]


def move(services: Services, caller: Caller, email: str = EVE) -> str:
    """An intruder gives the account another address; the key of the mail to the former one."""
    update_profile(services, caller, {"email": email}, INTRUDER, token_suffices=True)
    outcome = confirm_email_change(services, keys(services, MailKind.EMAIL_CHANGE)[-1], INTRUDER)
    assert isinstance(outcome, Confirmed)
    return keys(services, MailKind.EMAIL_CHANGE_NOTICE)[-1]


class TestKeys:
    def test_are_in_every_alert(self, services: Services, ada: Caller) -> None:
        """The mails about a changed and a reset password, another address and a new device have a key each."""
        sign_in(services, ADA, PASSWORD, CLIENT, Device("iPhone"))
        update_profile(services, ada, {"email": EVE}, CLIENT, token_suffices=True)
        changed = change(services, ada)
        kinds = (MailKind.NEW_DEVICE, MailKind.EMAIL_CHANGE_NOTICE, MailKind.PASSWORD_CHANGED)
        found = [key for kind in kinds for key in keys(services, kind)]
        assert len(found) == 3
        assert all(is_alert_key(services, key) for key in found)
        assert secure_account(services, changed, CLIENT) == Done()
        form = {"token": keys(services, MailKind.RESET)[-1], "password": NEW, "confirmPassword": NEW}
        assert reset(services, form, CLIENT) == Done()
        assert [is_alert_key(services, key) for key in keys(services, MailKind.PASSWORD_CHANGED)] == [False, True]

    def test_are_good_for_seven_days(self, services: Services, clock: Clock, ada: Caller) -> None:
        """A key works to the end of its seven days, and one that is unknown does not work."""
        key = change(services, ada)
        clock.move(LIFETIME - timedelta(microseconds=1))
        assert is_alert_key(services, key)
        clock.move(timedelta(microseconds=1))
        for bad in (key, "0" * 32, "", "\ud800"):
            assert not is_alert_key(services, bad)
            assert secure_account(services, bad, CLIENT) == TokenRefused()
        assert isinstance(sign_in(services, ADA, NEW, CLIENT), Tokens)

    def test_work_once(self, services: Services, ada: Caller) -> None:
        """A key works once, and with it all that were mailed before; three clicks at once secure the account once."""
        earlier = move(services, ada)
        key = change(services, ada)
        outcomes = at_once([partial(secure_account, services, key, CLIENT)] * 3)
        assert sorted(map(repr, outcomes)) == ["Done()", "TokenRefused()", "TokenRefused()"]
        assert secure_account(services, earlier, CLIENT) == TokenRefused()
        assert len(keys(services, MailKind.RESET)) == 1
        assert rows(services.database, alert_token) == []

    def test_go_with_the_customer(self, services: Services, ada: Caller) -> None:
        """After an erasure the key is unknown, and no row holds the address."""
        move(services, ada)
        anonymize(services, ada, None, CLIENT)
        assert rows(services.database, alert_token) == []


class TestSecuring:
    def test_ends_sessions_and_password(self, services: Services, ada: Caller) -> None:
        """Every session ends, neither password works, and the mailed key leads to a new one."""
        other = signed_in(services, ADA)
        key = change(services, ada)
        intruder = signed_in(services, ADA, NEW)
        assert secure_account(services, key, CLIENT) == Done()
        for tokens in (other, intruder):
            assert authenticate(services, tokens.access_token) is BadToken.REVOKED
            assert refresh(services, tokens.refresh_token, CLIENT) == RefreshRefused()
        assert {sign_in(services, ADA, each, CLIENT) for each in (PASSWORD, NEW, "")} == {BadCredentials()}
        form = {"token": keys(services, MailKind.RESET)[-1], "password": PASSWORD, "confirmPassword": PASSWORD}
        assert reset(services, form, CLIENT) == Done()
        assert isinstance(sign_in(services, ADA, PASSWORD, CLIENT), Tokens)
        trail = [
            (row["customer_id"], row["client_ip"]) for row in rows(services.database, audit) if row["kind"] == "secure"
        ]
        assert trail == [(ada.customer.id, CLIENT)]

    def test_stops_a_change_of_address(self, services: Services, ada: Caller) -> None:
        """Another address that waits for its proof is forgotten."""
        update_profile(services, ada, {"email": EVE}, INTRUDER, token_suffices=True)
        key = keys(services, MailKind.EMAIL_CHANGE)[-1]
        assert secure_account(services, keys(services, MailKind.EMAIL_CHANGE_NOTICE)[-1], CLIENT) == Done()
        assert rows(services.database, email_change) == []
        assert confirm_email_change(services, key, INTRUDER) == TokenRefused()

    def test_gives_the_address_back(self, services: Services, ada: Caller) -> None:
        """An address that was changed is changed back, as it was typed, before the reset mail is promised."""
        key = move(services, ada)
        assert secure_account(services, key, CLIENT) == Done()
        (row,) = rows(services.database, customer)
        assert row["email"] == ADA
        form = {"token": keys(services, MailKind.RESET)[-1], "password": NEW, "confirmPassword": NEW}
        assert reset(services, form, CLIENT) == Done()
        assert isinstance(sign_in(services, ADA, NEW, CLIENT), Tokens)
        assert sign_in(services, EVE, NEW, CLIENT) == BadCredentials()

    def test_takes_the_address_from_a_sign_up(self, services: Services, ada: Caller) -> None:
        """A sign-up that waits at the former address, perhaps the intruder's, gives way."""
        key = move(services, ada)
        sign_up(services, request(email=ADA))
        assert len(rows(services.database, customer)) == 2
        assert secure_account(services, key, CLIENT) == Done()
        (row,) = rows(services.database, customer)
        assert row["id"] == ada.customer.id

    def test_leaves_the_address_to_a_confirmed_account(self, services: Services, ada: Caller) -> None:
        """Where another customer has the former address, all is done, but no mail goes to the intruder."""
        key = move(services, ada)
        confirmed(services, email=ADA)
        assert secure_account(services, key, CLIENT) == EmailTaken()
        assert keys(services, MailKind.RESET) == []
        assert sign_in(services, EVE, PASSWORD, CLIENT) == BadCredentials()
        assert isinstance(sign_in(services, ADA, PASSWORD, CLIENT), Tokens)

    def test_makes_every_device_new(self, services: Services, ada: Caller) -> None:
        """After it the intruder's device is told of again."""
        sign_in(services, ADA, PASSWORD, INTRUDER, Device("iPhone"))
        (key,) = keys(services, MailKind.NEW_DEVICE)
        assert secure_account(services, key, CLIENT) == Done()
        form = {"token": keys(services, MailKind.RESET)[-1], "password": NEW, "confirmPassword": NEW}
        reset(services, form, CLIENT)
        sign_in(services, ADA, NEW, INTRUDER, Device("iPhone"))
        assert len(keys(services, MailKind.NEW_DEVICE)) == 2
        assert len(rows(services.database, session)) == 3

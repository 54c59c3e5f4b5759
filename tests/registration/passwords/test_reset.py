"""Resets on real databases, with the mails that the relay sends."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from registration.mail import listing
from registration.outcomes import (
    Accepted,
    BadCredentials,
    Done,
    Invalid,
    RefreshRefused,
    ResetRefused,
    Stage,
    Tokens,
    TooManyAttempts,
    Violation,
    ViolationCode,
)
from registration.passwords.reset import request_reset, reset, reset_refusal
from registration.rules.password import PasswordPolicy
from registration.services import Services
from registration.sessions.access_tokens import BadToken
from registration.sessions.sessions import refresh
from registration.storage.tables import audit, confirmation_token, customer, email_claim, event, mail, reset_token
from tests.clock import Clock
from tests.registration.callers import authenticate
from tests.registration.forms import PASSWORD, request
from tests.registration.members import CLIENT, confirmed, member
from tests.registration.post import Deliver, deliver, key_in, text_of
from tests.registration.signing import sign_in, sign_up
from tests.registration.stored import counts, rows

NEW = "brand new horse"
EMAIL = "ada@example.org"
UNKNOWN = ResetRefused(expired=False)
EXPIRED = ResetRefused(expired=True)


@pytest.fixture
def arrived(services: Services, tmp_path: Path) -> Deliver:
    """Sends the mails that are due; returns the messages that arrived since the last call."""
    return lambda: deliver(services, tmp_path / "mail")


@pytest.fixture
def mailed_key(services: Services, arrived: Deliver) -> Callable[[], str]:
    """Requests a reset of Ada's password; returns the key that arrives."""

    def request_key() -> str:
        arrived()
        assert request_reset(services, EMAIL, CLIENT) == Accepted()
        [message] = arrived()
        return key_in(message, "password/restore")

    return request_key


def form(key: object, password: object = NEW, confirmation: object = NEW) -> dict[str, object]:
    return {"token": key, "password": password, "confirmPassword": confirmation}


def subjects(messages: list[EmailMessage]) -> list[str]:
    return [message["Subject"] for message in messages]


class TestRequest:
    @pytest.mark.parametrize("typed", [EMAIL, "ADA@Example.org"])
    def test_a_known_address_gets_a_mail(self, services: Services, arrived: Deliver, typed: str) -> None:
        """A request in any spelling sends a mail to the stored address."""
        confirmed(services)
        arrived()
        assert request_reset(services, typed, CLIENT) == Accepted()
        [message] = arrived()
        assert (message["To"], message["Subject"]) == (EMAIL, "Choose a new password")

    def test_an_unconfirmed_account_gets_a_mail(self, services: Services, arrived: Deliver) -> None:
        """A request for an unconfirmed account sends a mail: its key proves as much as a confirmation."""
        sign_up(services, request())
        arrived()
        request_reset(services, EMAIL, CLIENT)
        assert subjects(arrived()) == ["Choose a new password"]

    def test_an_unknown_address_gets_the_same_answer_and_no_mail(self, services: Services, arrived: Deliver) -> None:
        """A request for an unknown address is Accepted; it leaves counts, and an audit row without the address."""
        assert request_reset(services, "bob@example.org", CLIENT) == Accepted()
        assert arrived() == []
        assert counts(services.database) == {"attempt": 2, "audit": 1}
        [row] = rows(services.database, audit)
        assert (row["kind"], row["customer_id"], row["email_key"], row["client_ip"]) == (
            "reset request",
            None,
            None,
            CLIENT,
        )

    def test_text_that_is_no_address_is_invalid(self, services: Services) -> None:
        """A request for a text that is no address is Invalid, and no row is written."""
        outcome = request_reset(services, "ada", CLIENT)
        assert isinstance(outcome, Invalid)
        assert [violation.code for violation in outcome.violations] == [ViolationCode.NOT_AN_EMAIL]
        assert counts(services.database) == {}

    @pytest.mark.parametrize("email", [EMAIL, "bob@example.org"])
    def test_requests_are_limited_per_address(self, services: Services, clock: Clock, email: str) -> None:
        """An address gets five requests an hour and twenty a day, known or not, in any spelling."""
        confirmed(services)
        for hour in range(4):
            for _ in range(5):
                assert request_reset(services, email, CLIENT) == Accepted()
            clock.move(timedelta(minutes=10))
            assert request_reset(services, email.upper(), CLIENT) == TooManyAttempts(3000), hour
            clock.move(timedelta(minutes=50))
        assert request_reset(services, email, CLIENT) == TooManyAttempts(20 * 3600)
        clock.move(timedelta(hours=20))
        assert request_reset(services, email, CLIENT) == Accepted()

    def test_the_database_holds_only_the_digest_of_the_key(
        self, services: Services, mailed_key: Callable[[], str]
    ) -> None:
        """The table of reset keys holds the digest of a key and not the key."""
        confirmed(services)
        key = mailed_key()
        [row] = rows(services.database, reset_token)
        assert key not in repr(row)
        assert len(row["digest"]) == 64

    def test_a_newer_key_replaces_an_older_one(self, services: Services, mailed_key: Callable[[], str]) -> None:
        """A second request makes the first key unknown."""
        confirmed(services)
        old, new = mailed_key(), mailed_key()
        assert len(rows(services.database, reset_token)) == 1
        assert reset(services, form(old), CLIENT) == UNKNOWN
        assert reset(services, form(new), CLIENT) == Done()

    def test_a_newer_mail_replaces_one_that_waits(self, services: Services, arrived: Deliver) -> None:
        """A second request drops the waiting mail of the first, whose key does not work any more."""
        confirmed(services)
        arrived()
        for _ in range(3):
            request_reset(services, EMAIL, CLIENT)
        [message] = arrived()
        assert reset_refusal(services, key_in(message, "password/restore")) is None
        reasons = [row["reason"] for row in rows(services.database, mail) if row["kind"] == "reset"]
        assert sorted(reasons, key=str) == [None, "replaced by a newer one", "replaced by a newer one"]

    def test_a_newer_mail_replaces_one_that_is_parked(self, services: Services, arrived: Deliver) -> None:
        """A second request drops the parked mail of the first: to queue mails again sends no dead link."""
        confirmed(services)
        arrived()
        request_reset(services, EMAIL, CLIENT)
        parked = update(mail).where(mail.c.status == "waiting").values(status="parked", reason="refused")
        services.database.write(lambda connection: connection.execute(parked))
        request_reset(services, EMAIL, CLIENT)
        services.database.write(lambda connection: listing.retry_mails(connection, services.clock()))
        assert [row["status"] for row in rows(services.database, mail)].count("waiting") == 1
        [message] = arrived()
        assert reset_refusal(services, key_in(message, "password/restore")) is None

    def test_requests_at_the_same_moment_leave_one_key(self, services: Services, arrived: Deliver) -> None:
        """Five requests at once are all Accepted and leave one key."""
        confirmed(services)
        arrived()
        with ThreadPoolExecutor(5) as threads:
            outcomes = list(threads.map(lambda _: request_reset(services, EMAIL, CLIENT), range(5)))
        assert outcomes == [Accepted()] * 5
        assert len(rows(services.database, reset_token)) == 1

    def test_a_mail_whose_key_is_gone_is_not_sent(self, services: Services, arrived: Deliver) -> None:
        """A mail whose key was used or taken back is dropped."""
        confirmed(services)
        request_reset(services, EMAIL, CLIENT)
        services.database.write(lambda connection: connection.execute(delete(reset_token)))
        assert arrived() == []
        assert "the key was used or taken back" in [row["reason"] for row in rows(services.database, mail)]


class TestReset:
    def test_stores_the_new_password(self, services: Services, clock: Clock, mailed_key: Callable[[], str]) -> None:
        """A reset makes the new password sign in and the old one fail."""
        confirmed(services)
        key = mailed_key()
        clock.move(timedelta(hours=2) - timedelta(seconds=1))
        assert reset(services, form(key), CLIENT) == Done()
        assert isinstance(sign_in(services, EMAIL, NEW, CLIENT), Tokens)
        assert sign_in(services, EMAIL, PASSWORD, CLIENT) == BadCredentials()
        [row] = rows(services.database, customer)
        assert (row["password_changed_at"], row["updated_at"]) == (clock.now, clock.now)

    def test_ends_every_session(self, services: Services, clock: Clock, mailed_key: Callable[[], str]) -> None:
        """After a reset no refresh token and no access token from before works."""
        tokens = member(services).tokens
        reset(services, form(mailed_key()), CLIENT)
        clock.move(timedelta(seconds=1))
        assert refresh(services, tokens.refresh_token, CLIENT) == RefreshRefused()
        assert authenticate(services, tokens.access_token) is BadToken.REVOKED

    def test_mails_the_customer(self, services: Services, mailed_key: Callable[[], str], arrived: Deliver) -> None:
        """A reset sends the customer a mail, whose only link says "this was not me"."""
        confirmed(services)
        reset(services, form(mailed_key()), CLIENT)
        [message] = arrived()
        assert (message["To"], message["Subject"]) == (EMAIL, "Your password was changed")
        assert set(re.findall(r"/(\w+/\w+)\?token=", text_of(message))) == {"account/secure"}

    def test_confirms_an_unconfirmed_account(
        self, services: Services, clock: Clock, mailed_key: Callable[[], str]
    ) -> None:
        """A reset confirms an unconfirmed account, whose confirmation key is deleted."""
        sign_up(services, request())
        reset(services, form(mailed_key()), CLIENT)
        [row] = rows(services.database, customer)
        assert row["confirmed_at"] == clock.now
        assert rows(services.database, confirmation_token) == []
        assert isinstance(sign_in(services, EMAIL, NEW, CLIENT), Tokens)
        kinds = {row["kind"] for row in rows(services.database, event)}
        assert kinds == {"customer.created", "customer.confirmed", "customer.password_changed"}

    def test_a_confirmed_account_keeps_its_moment(
        self, services: Services, clock: Clock, mailed_key: Callable[[], str]
    ) -> None:
        """A reset leaves the moment at which the customer confirmed as it is."""
        before = confirmed(services).confirmed_at
        clock.move(timedelta(hours=1))
        reset(services, form(mailed_key()), CLIENT)
        assert [row["confirmed_at"] for row in rows(services.database, customer)] == [before]

    def test_a_key_works_once(self, services: Services, mailed_key: Callable[[], str]) -> None:
        """A second use of a key is refused as that of an unknown one."""
        confirmed(services)
        key = mailed_key()
        assert reset(services, form(key), CLIENT) == Done()
        assert reset(services, form(key), CLIENT) == UNKNOWN

    def test_a_key_used_twice_at_the_same_moment_works_once(
        self, services: Services, mailed_key: Callable[[], str]
    ) -> None:
        """Of two uses of a key at once one stores its password, and for the other the key is unknown."""
        confirmed(services)
        key = mailed_key()
        with ThreadPoolExecutor(2) as threads:
            outcomes = list(threads.map(lambda _: reset(services, form(key), CLIENT), range(2)))
        assert sorted(outcomes, key=repr) == [Done(), UNKNOWN]

    def test_a_key_works_for_two_hours(self, services: Services, clock: Clock, mailed_key: Callable[[], str]) -> None:
        """After two hours a key is expired, which is told apart from unknown."""
        confirmed(services)
        key = mailed_key()
        clock.move(timedelta(hours=2))
        assert reset_refusal(services, key) == EXPIRED
        assert reset(services, form(key), CLIENT) == EXPIRED
        assert isinstance(sign_in(services, EMAIL, PASSWORD, CLIENT), Tokens)

    @pytest.mark.parametrize("key", ["0" * 32, "x", " ", "\x00", "\ud800", "k" * 100_000])
    def test_other_keys_are_unknown(self, services: Services, key: str) -> None:
        """Texts that are no key are unknown, and raise nothing."""
        assert reset(services, form(key), CLIENT) == UNKNOWN

    def test_rules_come_before_the_key(self, services: Services, mailed_key: Callable[[], str]) -> None:
        """A password that breaks rules is Invalid before the key is looked at, and the key can still be used."""
        confirmed(services)
        for key in (mailed_key(), "unknown"):
            outcome = reset(services, form(key, "short", "other"), CLIENT)
            assert isinstance(outcome, Invalid)
            assert [(violation.attribute, violation.code) for violation in outcome.violations] == [
                ("password", ViolationCode.TOO_SHORT),
                ("confirmPassword", ViolationCode.TOO_SHORT),
                ("confirmPassword", ViolationCode.PASSWORDS_DIFFER),
            ]
        assert len(rows(services.database, reset_token)) == 1

    def test_own_words_are_refused(self, services: Services, mailed_key: Callable[[], str]) -> None:
        """A password of the customer's own words is refused as one of the list, and the key can still be used."""
        confirmed(services)
        services = replace(services, policy=PasswordPolicy(deny_list=frozenset({"password"})))
        key = mailed_key()
        outcome = reset(services, form(key, "Beispiel-1", "Beispiel-1"), CLIENT)
        assert outcome == Invalid((Violation("password", ViolationCode.PASSWORD_COMMON, Stage.PASSWORD),))
        assert reset(services, form(key), CLIENT) == Done()

    def test_a_key_of_a_deleted_account_is_unknown(self, services: Services, mailed_key: Callable[[], str]) -> None:
        """The key of an account that was deleted is unknown."""
        confirmed(services)
        key = mailed_key()
        services.database.write(lambda connection: connection.execute(delete(customer)))
        assert reset(services, form(key), CLIENT) == UNKNOWN

    def test_is_audited(self, services: Services, mailed_key: Callable[[], str]) -> None:
        """The audit trail holds the request and the reset, each with its client's address."""
        ada = confirmed(services)
        reset(services, form(mailed_key()), "192.0.2.9")
        trail = [(row["kind"], row["customer_id"], row["client_ip"]) for row in rows(services.database, audit)]
        assert set(trail) >= {("reset request", ada.id, CLIENT), ("reset", ada.id, "192.0.2.9")}

    def test_a_key_of_a_replaced_account_is_unknown(
        self, services: Services, clock: Clock, mailed_key: Callable[[], str]
    ) -> None:
        """The key of an expired account does not reset the account that replaced it."""
        sign_up(services, request())
        clock.move(timedelta(days=1))
        key = mailed_key()
        sign_up(services, request(firstName="Bob"))
        assert reset(services, form(key), CLIENT) == UNKNOWN
        assert len(rows(services.database, email_claim)) == 1

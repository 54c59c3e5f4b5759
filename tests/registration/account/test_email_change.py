"""Changes of address on real databases, with the mails that the relay sends."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from registration.account.email_change import address_of_key, confirm_email_change
from registration.account.erasure import anonymize
from registration.account.erasure_proof import Wanted, prove
from registration.account.profile import update_profile
from registration.mail.rendering import MailKind
from registration.outcomes import (
    BadCredentials,
    Confirmed,
    EmailTaken,
    Registered,
    ResetRefused,
    TokenRefused,
    Tokens,
    TooManyAttempts,
    Updated,
)
from registration.passwords.reset import request_reset, reset
from registration.services import Services
from registration.sessions.access_tokens import Caller
from registration.storage.tables import audit, customer, email_change, email_claim, event, mail
from tests.clock import Clock
from tests.registration.callers import caller_of
from tests.registration.forms import PASSWORD, request
from tests.registration.members import CLIENT, confirmed, member
from tests.registration.post import Deliver, deliver, key_in, text_of
from tests.registration.signing import sign_in, sign_up
from tests.registration.stored import rows

OLD, NEW = "ada@example.org", "Ada.New@Example.net"
PAGE = "register/confirm-email"


@pytest.fixture
def caller(services: Services) -> Caller:
    """The customer Ada, signed in."""
    return caller_of(services, member(services).tokens)


@pytest.fixture
def arrived(services: Services, tmp_path: Path) -> Deliver:
    """Sends the mails that are due; returns the messages that arrived since the last call."""
    return lambda: deliver(services, tmp_path / "mail")


@pytest.fixture
def mailed_key(services: Services, caller: Caller, arrived: Deliver) -> Callable[..., str]:
    """Requests a change of address; returns the key that arrives there."""

    def request_key(email: str = NEW) -> str:
        arrived()
        assert isinstance(update_profile(services, caller, {"email": email}, CLIENT, password=PASSWORD), Updated)
        return key_in(arrived()[0], PAGE)

    return request_key


def claims(services: Services) -> list[str]:
    return sorted(row["address"] for row in rows(services.database, email_claim))


class TestAsking:
    def test_the_new_address_waits(self, services: Services, clock: Clock, caller: Caller) -> None:
        """After the request the customer still has the old address, and another sign-up can still claim the new one."""
        outcome = update_profile(services, caller, {"email": NEW, "firstName": "Zoë"}, CLIENT)
        assert isinstance(outcome, Updated)
        assert (outcome.customer.email, outcome.customer.first_name) == (OLD, "Zoë")
        assert (outcome.pending_email, outcome.confirm_before) == (NEW, clock.now + timedelta(days=1))
        assert claims(services) == [OLD]
        assert isinstance(sign_up(services, request(email=NEW)), Registered)

    def test_a_pending_address_is_shown_until_it_expires(
        self, services: Services, clock: Clock, caller: Caller
    ) -> None:
        """Every change of the profile shows the pending address until its time is over."""
        update_profile(services, caller, {"email": NEW}, CLIENT)
        later = update_profile(services, caller, {"firstName": "Zoë"}, CLIENT)
        assert isinstance(later, Updated)
        assert later.pending_email == NEW
        clock.move(timedelta(days=1))
        over = update_profile(services, caller, {}, CLIENT)
        assert isinstance(over, Updated)
        assert over.pending_email is None

    def test_both_addresses_get_a_mail(self, services: Services, caller: Caller, arrived: Deliver) -> None:
        """The new address gets a link that proves it, the old one a notice without both."""
        arrived()
        update_profile(services, caller, {"email": NEW}, CLIENT)
        link, notice = arrived()
        assert (link["To"], link["Subject"]) == ("Ada.New@example.net", "Please confirm your new e-mail address")
        assert (notice["To"], notice["Subject"]) == (OLD, "Your e-mail address is about to change")
        assert "confirm-email" not in notice.as_string()
        assert "/account/secure?token=" in text_of(notice)
        assert "example.net" not in text_of(notice)

    def test_a_late_notice_goes_to_the_old_address(self, services: Services, caller: Caller, arrived: Deliver) -> None:
        """The notice goes to the old address even when the new one is proven before, and then forgets it."""
        arrived()
        update_profile(services, caller, {"email": NEW}, CLIENT)
        move = customer.update().values(email=NEW)
        services.database.write(lambda connection: connection.execute(move))
        assert OLD in [message["To"] for message in arrived()]
        assert {row["recipient"] for row in rows(services.database, mail)} == {None}

    def test_a_newer_address_replaces_an_older_one(self, services: Services, mailed_key: Callable[..., str]) -> None:
        """A second request replaces the first one, whose key then proves no address."""
        first, second = mailed_key("first@example.net"), mailed_key("second@example.net")
        assert len(rows(services.database, email_change)) == 1
        assert address_of_key(services, first) is None
        assert address_of_key(services, second) == "second@example.net"

    def test_a_newer_request_withdraws_the_mail_of_an_older_one(self, services: Services, caller: Caller) -> None:
        """A second request drops the mail with the key of the first, if it still waits; the notices still wait."""
        for email in ("first@example.net", "second@example.net"):
            update_profile(services, caller, {"email": email}, CLIENT)
        mails = [(row["kind"], row["status"], row["reason"]) for row in rows(services.database, mail)]
        kinds = (MailKind.EMAIL_CHANGE, MailKind.EMAIL_CHANGE_NOTICE)
        assert sorted((row for row in mails if row[0] in kinds), key=str) == [
            (MailKind.EMAIL_CHANGE, "dropped", "replaced by a newer one"),
            (MailKind.EMAIL_CHANGE, "waiting", None),
            (MailKind.EMAIL_CHANGE_NOTICE, "waiting", None),
            (MailKind.EMAIL_CHANGE_NOTICE, "waiting", None),
        ]

    def test_a_taken_address_is_refused(self, services: Services, caller: Caller) -> None:
        """A change to a taken address in any spelling is answered EmailTaken; no row and no mail is written."""
        confirmed(services, email="bob@example.org")
        before = len(rows(services.database, mail))
        assert update_profile(services, caller, {"email": "BOB@example.org"}, CLIENT) == EmailTaken()
        assert rows(services.database, email_change) == []
        assert len(rows(services.database, mail)) == before

    def test_the_address_of_a_pending_account_is_taken_until_it_expires(
        self, services: Services, clock: Clock, caller: Caller
    ) -> None:
        """A change to the address of a pending account is refused until that account's key expires."""
        sign_up(services, request(email=NEW))
        assert update_profile(services, caller, {"email": NEW}, CLIENT) == EmailTaken()
        clock.move(timedelta(days=1))
        assert isinstance(update_profile(services, caller, {"email": NEW}, CLIENT, password=PASSWORD), Updated)

    def test_requests_are_limited(self, services: Services, clock: Clock, caller: Caller) -> None:
        """An address gets five requests an hour, and a customer can make ten."""
        for _ in range(5):
            assert isinstance(update_profile(services, caller, {"email": NEW}, CLIENT), Updated)
        assert update_profile(services, caller, {"email": NEW.upper()}, CLIENT) == TooManyAttempts(3600)
        for number in range(4):
            assert isinstance(update_profile(services, caller, {"email": f"{number}@example.net"}, CLIENT), Updated)
        assert update_profile(services, caller, {"email": "9@example.net"}, CLIENT) == TooManyAttempts(3600)
        clock.move(timedelta(hours=1))
        assert isinstance(update_profile(services, caller, {"email": NEW}, CLIENT, password=PASSWORD), Updated)

    def test_a_key_works_for_a_day_without_confirmation(self, services: Services, clock: Clock, caller: Caller) -> None:
        """With confirmation off a new address must be proven all the same, within a day."""
        outcome = update_profile(replace(services, confirmation=None), caller, {"email": NEW}, CLIENT)
        assert isinstance(outcome, Updated)
        assert outcome.confirm_before == clock.now + timedelta(days=1)

    def test_a_key_works_as_long_as_a_confirmation(self, services: Services, clock: Clock, caller: Caller) -> None:
        """With confirmation on a new address must be proven within the lifetime of a confirmation key."""
        short = replace(services, confirmation=timedelta(hours=2))
        outcome = update_profile(short, caller, {"email": NEW}, CLIENT)
        assert isinstance(outcome, Updated)
        assert outcome.confirm_before == clock.now + timedelta(hours=2)


class TestProving:
    def test_a_key_changes_the_address(
        self, services: Services, clock: Clock, caller: Caller, mailed_key: Callable[..., str]
    ) -> None:
        """A key makes the new address the customer's: it signs in, as typed, and the old one is free."""
        key = mailed_key()
        clock.move(timedelta(hours=1))
        outcome = confirm_email_change(services, key, CLIENT)
        assert isinstance(outcome, Confirmed)
        assert (outcome.customer.id, outcome.customer.email) == (caller.customer.id, NEW)
        assert outcome.customer.updated_at == clock.now
        assert claims(services) == [NEW.lower()]
        assert isinstance(sign_in(services, NEW, PASSWORD, CLIENT), Tokens)
        assert sign_in(services, OLD, PASSWORD, CLIENT) == BadCredentials()
        assert isinstance(sign_up(services, request()), Registered)

    def test_the_old_address_is_forgotten(
        self, services: Services, caller: Caller, mailed_key: Callable[..., str]
    ) -> None:
        """After a change and an erasure no table and no file holds the old or the new address."""
        request_reset(services, OLD, CLIENT)
        sign_in(services, OLD, "wrong", CLIENT)
        confirm_email_change(services, mailed_key(), CLIENT)
        anonymize(services, caller, None, CLIENT)
        proof = prove(services.database, services.secret, caller.customer.reference, Wanted([OLD, NEW], ["Ada"]))
        assert isinstance(proof, list)
        assert [place for place in proof if place.found] == []

    def test_sign_ins_from_before_the_sign_up_are_forgotten(self, services: Services, arrived: Deliver) -> None:
        """A change empties the old address in records of failed sign-ins that are older than its account."""
        bob, other = "bob@example.org", "eve@example.org"
        for email in (bob, other):
            sign_in(services, email, "wrong", CLIENT)
        caller = caller_of(services, member(services, email=bob).tokens)
        arrived()
        update_profile(services, caller, {"email": NEW}, CLIENT)
        confirm_email_change(services, key_in(arrived()[0], PAGE), CLIENT)
        failures = [row["email_key"] for row in rows(services.database, audit) if row["kind"] == "sign-in failure"]
        assert sorted(failures, key=str) == [None, other]

    def test_a_key_works_once(self, services: Services, mailed_key: Callable[..., str]) -> None:
        """A key that has changed the address is refused afterwards."""
        key = mailed_key()
        assert isinstance(confirm_email_change(services, key, CLIENT), Confirmed)
        assert confirm_email_change(services, key, CLIENT) == TokenRefused()

    def test_a_key_works_for_a_day(self, services: Services, clock: Clock, mailed_key: Callable[..., str]) -> None:
        """After a day a key is refused like an unknown one, and the address is unchanged."""
        key = mailed_key()
        clock.move(timedelta(days=1))
        assert address_of_key(services, key) is None
        assert confirm_email_change(services, key, CLIENT) == TokenRefused()
        assert claims(services) == [OLD]

    @pytest.mark.parametrize("key", ["", "0" * 32, "\x00", "\ud800", "k" * 100_000])
    def test_other_keys_are_refused(self, services: Services, key: str) -> None:
        """Texts that are no key are refused without an exception."""
        assert confirm_email_change(services, key, CLIENT) == TokenRefused()

    def test_an_address_that_was_taken_meanwhile_is_refused(
        self, services: Services, mailed_key: Callable[..., str]
    ) -> None:
        """When another account has claimed the address meanwhile, the key is answered EmailTaken and used up."""
        key = mailed_key()
        confirmed(services, email=NEW)
        assert confirm_email_change(services, key, CLIENT) == EmailTaken()
        assert confirm_email_change(services, key, CLIENT) == TokenRefused()
        assert claims(services) == sorted([OLD, NEW.lower()])

    def test_an_expired_account_gives_way(
        self, services: Services, clock: Clock, mailed_key: Callable[..., str]
    ) -> None:
        """A change takes the address of an expired account, which is deleted."""
        sign_up(services, request(email=NEW))
        clock.move(timedelta(days=1))
        key = mailed_key()
        assert isinstance(confirm_email_change(services, key, CLIENT), Confirmed)
        assert len(rows(services.database, customer)) == 1

    def test_of_two_keys_for_one_address_at_once_one_wins(self, services: Services, arrived: Deliver) -> None:
        """When two customers prove the same address at once, one gets it and the other is told that it is taken."""
        keys = []
        for name in ("bob", "eve"):
            caller = caller_of(services, member(services, email=f"{name}@example.org").tokens)
            arrived()
            update_profile(services, caller, {"email": NEW}, CLIENT)
            keys.append(key_in(arrived()[0], PAGE))
        with ThreadPoolExecutor(2) as threads:
            outcomes = list(threads.map(lambda key: confirm_email_change(services, key, CLIENT), keys))
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Confirmed", "EmailTaken"]
        assert claims(services).count(NEW.lower()) == 1

    def test_a_reset_key_in_the_old_mailbox_is_refused(
        self, services: Services, mailed_key: Callable[..., str], arrived: Deliver
    ) -> None:
        """After a change a reset key that was mailed to the old address is refused."""
        request_reset(services, OLD, CLIENT)
        old_key = key_in(next(iter(arrived())), "password/restore")
        confirm_email_change(services, mailed_key(), CLIENT)
        form = {"token": old_key, "password": "brand new", "confirmPassword": "brand new"}
        assert reset(services, form, CLIENT) == ResetRefused(expired=False)

    def test_it_is_recorded(self, services: Services, caller: Caller, mailed_key: Callable[..., str]) -> None:
        """A change writes an event, and the audit trail holds request and proof with the clients' addresses."""
        confirm_email_change(services, mailed_key(), "192.0.2.9")
        assert "customer.email_changed" in [row["kind"] for row in rows(services.database, event)]
        trail = rows(services.database, audit)
        assert {(row["kind"], row["customer_id"], row["client_ip"], row["email_key"]) for row in trail} >= {
            ("email change request", caller.customer.id, CLIENT, None),
            ("email change", caller.customer.id, "192.0.2.9", OLD),
        }

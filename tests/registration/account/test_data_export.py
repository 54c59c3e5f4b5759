"""The customer's own data: the link in the mail, what it shows, and what ends it."""

import json
from datetime import timedelta

import pytest

from registration.account.data_export import export_by_key, is_export_key, request_export
from registration.account.email_change import confirm_email_change
from registration.account.erasure import anonymize
from registration.account.profile import update_profile
from registration.keys.link_keys import digest, email_change_key, export_key
from registration.mail.rendering import MailKind
from registration.outcomes import Accepted, Confirmed, Done, Gone
from registration.passwords.change import change_password
from registration.readable_json import readable_json
from registration.services import Services
from registration.sessions.access_tokens import Caller
from registration.storage.tables import audit, export_token, mail, metadata
from tests.clock import Clock
from tests.registration.callers import caller_of
from tests.registration.forms import PASSWORD
from tests.registration.members import CLIENT, Member, member
from tests.registration.stored import rows

NEW = "brand new horse"


@pytest.fixture
def ada(services: Services) -> Member:
    return member(services)


@pytest.fixture
def caller(services: Services, ada: Member) -> Caller:
    return caller_of(services, ada.tokens)


def asked(services: Services, caller: Caller) -> str:
    """The key of the link in the newest mail."""
    assert request_export(services, caller, CLIENT) == Accepted()
    tokens = [row["token_id"] for row in rows(services.database, mail) if row["kind"] == MailKind.DATA_EXPORT]
    stored = {row["digest"] for row in rows(services.database, export_token)}
    [key] = [key for token_id in tokens if digest(key := export_key(services.secret, token_id)) in stored]
    return key


def test_shows_all_about_the_customer(services: Services, ada: Member, caller: Caller) -> None:
    """The file has names, address and moments, and no credential; two audit rows tell of request and file."""
    key = asked(services, caller)
    assert is_export_key(services, key)
    found = export_by_key(services, key, "192.0.2.9")
    assert found is not None
    text = readable_json(found)
    [person] = json.loads(text)["customer"]
    assert (person["first_name"], person["email"]) == ("Ada", ada.customer.email)
    assert person["created_at"] == ada.customer.created_at.isoformat()
    assert not [secret for secret in (key, digest(key), digest(ada.tokens.refresh_token), "argon2") if secret in text]
    told = [(row["kind"], row["client_ip"]) for row in rows(services.database, audit) if "export" in row["kind"]]
    assert told == [("export request", CLIENT), ("export", "192.0.2.9")]


def test_a_key_of_another_purpose_shows_nothing(services: Services, caller: Caller) -> None:
    """A key that was not made for an export, and a wrong one, lead to no data, and leave no row."""
    asked(services, caller)
    [token_id] = [row["token_id"] for row in rows(services.database, mail) if row["kind"] == MailKind.DATA_EXPORT]
    for key in (email_change_key(services.secret, token_id), "0" * 32, "", "\ud800"):
        assert not is_export_key(services, key)
        assert export_by_key(services, key, CLIENT) is None
    assert [row["kind"] for row in rows(services.database, audit) if row["kind"] == "export"] == []


def test_a_key_ends_after_a_day(services: Services, caller: Caller, clock: Clock) -> None:
    """It works any number of times until it is a day old."""
    key = asked(services, caller)
    clock.move(timedelta(hours=24) - timedelta(seconds=1))
    assert export_by_key(services, key, CLIENT)
    assert export_by_key(services, key, CLIENT)
    clock.move(timedelta(seconds=1))
    assert export_by_key(services, key, CLIENT) is None


def test_a_new_request_replaces_the_key(services: Services, caller: Caller) -> None:
    """The older link does not work any more, and its mail is dropped if it still waits."""
    first = asked(services, caller)
    second = asked(services, caller)
    assert (is_export_key(services, first), is_export_key(services, second)) == (False, True)
    kinds = [row["status"] for row in rows(services.database, mail) if row["kind"] == MailKind.DATA_EXPORT]
    assert sorted(kinds) == ["dropped", "waiting"]


def test_another_password_or_address_ends_it(services: Services, caller: Caller) -> None:
    """A client that knew the old password, or reads the old mailbox, may have asked for it."""
    key = asked(services, caller)
    form = {"password": PASSWORD, "newPassword": NEW, "confirmPassword": NEW}
    assert change_password(services, caller, form, CLIENT) == Done()
    assert not is_export_key(services, key)
    key = asked(services, caller)
    update_profile(services, caller, {"email": "new@example.net"}, CLIENT, token_suffices=True)
    [token_id] = [row["token_id"] for row in rows(services.database, mail) if row["kind"] == MailKind.EMAIL_CHANGE]
    assert isinstance(confirm_email_change(services, email_change_key(services.secret, token_id), CLIENT), Confirmed)
    assert not is_export_key(services, key)


def test_erasure_ends_it(services: Services, caller: Caller) -> None:
    """Of an erased customer there is nothing to show."""
    key = asked(services, caller)
    anonymize(services, caller, None, CLIENT)
    assert export_by_key(services, key, CLIENT) is None
    assert rows(services.database, export_token) == []


def test_an_erased_customer_gets_none(services: Services, caller: Caller) -> None:
    """A request by a customer who was erased after authentication is answered Gone, and leaves no row."""
    anonymize(services, caller, None, CLIENT)
    before = {table: rows(services.database, table) for table in metadata.sorted_tables}
    assert request_export(services, caller, CLIENT) == Gone()
    assert {table: rows(services.database, table) for table in metadata.sorted_tables} == before

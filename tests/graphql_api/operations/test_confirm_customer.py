"""confirmCustomer through the whole application, on both engines."""

from datetime import timedelta

import pytest

from registration.keys.handles import LENGTH, code_of
from registration.storage.database import open_database
from registration.storage.tables import confirmation_token, customer, event, mail
from tests.graphql_api.installation import FORM, Installation, installed

CONFIRM = """
mutation Confirm($input: ConfirmCustomerInput!) {
  confirmCustomer(input: $input) {
    __typename
    ... on ConfirmCustomerSuccess { customer { email confirmedAt updatedAt } }
    ... on UserError { code message }
  }
}
"""
REFUSED = {
    "__typename": "ConfirmationTokenError",
    "code": "CONFIRMATION_TOKEN",
    "message": "This confirmation link is no longer valid.",
}


def test_the_key_of_the_mail_confirms_the_customer(installation: Installation) -> None:
    """The key confirms the customer in the answer, in the row and in an event."""
    installation.sign_up()
    installation.clock.move(timedelta(hours=1))
    (key,) = installation.confirmation_keys()
    moment = "2026-11-23T14:36:29.123456+00:00"
    assert installation.mutate(CONFIRM, {"token": key}) == {
        "__typename": "ConfirmCustomerSuccess",
        "customer": {"email": "ada@example.org", "confirmedAt": moment, "updatedAt": moment},
    }
    assert installation.rows(customer)[0]["confirmed_at"] == installation.clock.now
    assert sorted(row["kind"] for row in installation.rows(event)) == ["customer.confirmed", "customer.created"]
    assert installation.rows(confirmation_token) == []


def test_unknown_used_and_expired_keys_are_answered_alike(installation: Installation) -> None:
    """Unknown, used and expired keys get the same answer."""
    installation.sign_up()
    installation.sign_up(email="bob@example.org")
    used, expired = installation.confirmation_keys()
    installation.mutate(CONFIRM, {"token": used})
    installation.clock.move(timedelta(days=1))
    before = installation.content()
    for key in (used, expired, "0" * 32, used.upper(), "", "\0", "ключ", "' OR 1=1 --", "x" * 50_000):
        assert installation.mutate(CONFIRM, {"token": key}) == REFUSED
    assert installation.content() == before


@pytest.mark.parametrize("language", ["de", "de-CH;q=0.9, en;q=0.1"])
def test_a_refusal_speaks_the_language_of_the_caller(installation: Installation, language: str) -> None:
    """The message of a refusal follows Accept-Language; its code stays."""
    refusal = installation.mutate(CONFIRM, {"token": "x"}, **{"accept-language": language})
    assert refusal == REFUSED | {"message": "Dieser Bestätigungslink ist nicht mehr gültig."}


WITH_HANDLE = """
mutation ($input: CreateCustomerInput!) {
  createCustomer(input: $input) {
    ... on CreateCustomerSuccess { handle }
    ... on RegistrationAccepted { handle }
  }
}
"""
BY_CODE = """
mutation ($input: ConfirmCustomerInput!) {
  confirmCustomer(input: $input) {
    ... on ConfirmCustomerSuccess { customer { email } }
    ... on ConfirmationCodeError { code attemptsLeft message }
    ... on InvalidInputError { violations { path code } }
  }
}
"""


def test_the_code_of_the_mail_confirms_with_the_handle(installation: Installation) -> None:
    """The page that signed up has a handle; with it a wrong code is counted, and the right one confirms."""
    handle = installation.mutate(WITH_HANDLE, FORM)["handle"]
    [waiting] = installation.rows(mail)
    code = code_of(installation.services.secret, waiting["token_id"])
    wrong = "000000" if code != "000000" else "000001"
    assert installation.mutate(BY_CODE, {"code": wrong, "handle": handle}) == {
        "code": "CONFIRMATION_CODE",
        "attemptsLeft": 4,
        "message": "This code is not right, or no longer valid.",
    }
    assert installation.mutate(BY_CODE, {"code": code}) == {
        "violations": [{"path": ["input", "handle"], "code": "MISSING"}]
    }
    confirmed = installation.mutate(BY_CODE, {"code": code, "handle": handle})
    assert confirmed == {"customer": {"email": "ada@example.org"}}


def test_a_handle_tells_nothing_of_the_address(sqlite_url: str) -> None:
    """In privacy mode a known and an unknown address get handles of one form, and no two the same."""
    with installed(open_database(sqlite_url), conceal=True) as installation:
        handles = {installation.mutate(WITH_HANDLE, FORM)["handle"] for _ in range(3)}
    assert len(handles) == 3
    assert {len(handle) for handle in handles} == {LENGTH}

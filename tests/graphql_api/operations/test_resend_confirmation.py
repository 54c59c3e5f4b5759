"""resendConfirmation through the whole application, on both engines."""

from datetime import timedelta

from registration.storage.tables import mail
from tests.graphql_api.installation import Installation
from tests.graphql_api.operations.test_confirm_customer import CONFIRM

RESEND = """
mutation Resend($input: ResendConfirmationInput!) {
  resendConfirmation(input: $input) {
    __typename
    ... on ResendConfirmationAccepted { message }
    ... on UserError { code }
    ... on InvalidInputError { violations { path code } }
    ... on TooManyAttemptsError { retryAfterSeconds }
  }
}
"""
ACCEPTED = {
    "__typename": "ResendConfirmationAccepted",
    "message": "If this address can be used, a mail is on its way.",
}


def resend(installation: Installation, email: str) -> object:
    return installation.mutate(RESEND, {"email": email})


def test_a_pending_customer_gets_a_new_key(installation: Installation) -> None:
    """A pending customer gets a new key; confirming with it uses up the old one."""
    installation.sign_up()
    installation.clock.move(timedelta(seconds=1))
    assert resend(installation, "Ada@example.org") == ACCEPTED
    old, new = installation.confirmation_keys()
    assert installation.mutate(CONFIRM, {"token": new})["__typename"] == "ConfirmCustomerSuccess"
    assert installation.mutate(CONFIRM, {"token": old})["__typename"] == "ConfirmationTokenError"


def test_does_not_tell_whether_an_address_is_registered(installation: Installation) -> None:
    """Pending, confirmed and unknown addresses get the same answers and limit; one gets a mail."""
    installation.sign_up()
    installation.mutate(CONFIRM, {"token": installation.confirmation_keys()[0]})
    installation.sign_up(email="bob@example.org")
    for email in ("ada@example.org", "bob@example.org", "unknown@example.org"):
        assert resend(installation, email) == ACCEPTED
        assert resend(installation, email) == {
            "__typename": "TooManyAttemptsError",
            "code": "TOO_MANY_ATTEMPTS",
            "retryAfterSeconds": 60,
        }
    assert len(installation.rows(mail)) == 3


def test_five_mails_a_day_are_enough(installation: Installation) -> None:
    """A sixth mail is refused within a day of the first."""
    for _ in range(5):
        assert resend(installation, "ada@example.org") == ACCEPTED
        installation.clock.move(timedelta(minutes=1))
    refusal = {"__typename": "TooManyAttemptsError", "code": "TOO_MANY_ATTEMPTS", "retryAfterSeconds": 86_400 - 300}
    assert resend(installation, "ada@example.org") == refusal
    installation.clock.move(timedelta(days=1))
    assert resend(installation, "ada@example.org") == ACCEPTED


def test_what_is_no_address_is_said_to_be_none(installation: Installation) -> None:
    """A text that is not an address is answered with a violation."""
    before = installation.content()
    assert resend(installation, "not an address") == {
        "__typename": "InvalidInputError",
        "code": "INVALID_INPUT",
        "violations": [{"path": ["input", "email"], "code": "NOT_AN_EMAIL"}],
    }
    assert installation.content() == before

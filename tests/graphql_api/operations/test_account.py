"""Passwords, profile and erasure through GraphQL."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from graphql_api.engine.errors import Unauthenticated
from graphql_api.operations import export_my_data
from graphql_api.operations.update_customer import _result
from graphql_api.settings import GatewaySettings
from registration.language import Language
from registration.limits.attempts import Limit
from registration.limits.budgets import Budget, Budgets, Cost, Payer
from registration.mail.rendering import MailKind
from registration.outcomes import Gone
from registration.rules.password import PasswordPolicy
from registration.storage.database import Database
from registration.storage.tables import customer, email_change, mail
from tests.in_process import Installation, installation
from tests.registration.forms import PASSWORD
from tests.registration.members import member
from tests.registration.post import deliver

EMAIL, NEW = "ada@example.org", "brand new horse"
USER_ERROR = "... on UserError { code message }"
VIOLATIONS = "... on InvalidInputError { violations { path code message minimum maximum } }"
REQUEST_RESET = f"""mutation ($input: RequestPasswordResetInput!) {{ result: requestPasswordReset(input: $input) {{
  __typename ... on RequestPasswordResetAccepted {{ message }} {USER_ERROR} {VIOLATIONS}
  ... on TooManyAttemptsError {{ retryAfterSeconds }} }} }}"""
RESET = f"""mutation ($input: ResetPasswordInput!) {{ result: resetPassword(input: $input) {{
  __typename ... on ResetPasswordSuccess {{ message }} ... on ResetTokenError {{ reason }}
  {USER_ERROR} {VIOLATIONS} }} }}"""
CHANGE = f"""mutation ($input: ChangePasswordInput!) {{ result: changePassword(input: $input) {{
  __typename ... on ChangePasswordSuccess {{ message }} {USER_ERROR} {VIOLATIONS} }} }}"""
UPDATE = f"""mutation ($input: UpdateCustomerInput!) {{ result: updateCustomer(input: $input) {{
  __typename {USER_ERROR} {VIOLATIONS} ... on TooManyAttemptsError {{ retryAfterSeconds }}
  ... on UpdateCustomerSuccess {{ customer {{ email salutation firstName lastName gender dateOfBirth }}
    pendingEmail {{ sentTo expiresAt }} }} }} }}"""
CONFIRM = f"""mutation ($input: ConfirmEmailChangeInput!) {{ result: confirmEmailChange(input: $input) {{
  __typename ... on ConfirmEmailChangeSuccess {{ customer {{ email }} }} {USER_ERROR} }} }}"""
ERASE = f"""mutation ($input: AnonymizeCustomerInput!) {{ result: anonymizeCustomer(input: $input) {{
  __typename ... on AnonymizeCustomerSuccess {{ message }} {USER_ERROR} }} }}"""
SECURE = f"""mutation ($input: SecureAccountInput!) {{ result: secureAccount(input: $input) {{
  __typename ... on SecureAccountSuccess {{ message }} {USER_ERROR} }} }}"""
EXPORT = f"""mutation {{ result: exportMyData {{
  __typename ... on ExportMyDataAccepted {{ message }} {USER_ERROR} }} }}"""
POLICY = "{ result: registrationPolicy { password { refusesBreached minStrength } } }"


@dataclass(frozen=True, slots=True)
class Client:
    """A GraphQL client, with an access token or without."""

    installed: Installation
    token: str | None

    def ask(self, document: str, given: Mapping[str, object], language: str = "en") -> Any:
        """The answer to a document with this input."""
        headers = {"accept-language": language}
        if self.token is not None:
            headers["authorization"] = f"Bearer {self.token}"
        body = {"query": document, "variables": {"input": given}}
        answer = self.installed.client.post("/graphql", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def result(self, document: str, language: str = "en", **given: Any) -> Any:
        """The value of the one field, after a check that there are no errors."""
        answer = self.ask(document, given, language)
        assert set(answer) == {"data"}, answer
        return answer["data"]["result"]


@pytest.fixture
def installed(database: Database) -> Iterator[Installation]:
    with installation(database, GatewaySettings()) as installed:
        yield installed


@pytest.fixture
def ada(installed: Installation) -> Client:
    return Client(installed, member(installed.services).tokens.access_token)


@pytest.mark.parametrize("operation", ["change", "erasure", "profile"])
def test_wrong_passwords_are_bounded(database: Database, operation: str) -> None:
    """A client whose guesses are used up is told when to try again, whichever operation takes a password."""
    document, given = {
        "change": (CHANGE, {"password": "wrong", "newPassword": NEW, "confirmPassword": NEW}),
        "erasure": (ERASE, {"password": "wrong"}),
        "profile": (UPDATE, {"email": "new@example.org", "password": "wrong"}),
    }[operation]
    one_guess = Budgets([Budget(Cost.GUESS, Payer.CLIENT, Limit(1, 3600))])
    with installation(database, GatewaySettings(), budgets=one_guess) as limited:
        ada = Client(limited, member(limited.services).tokens.access_token)
        assert ada.result(document, **given)["code"] == "BAD_CREDENTIALS"
        assert ada.result(document, **given)["code"] == "TOO_MANY_ATTEMPTS"


class TestRequestPasswordReset:
    def test_says_the_same_of_every_address(self, ada: Client) -> None:
        """Known and unknown addresses get the same bytes; only the known one gets a mail."""
        known, unknown = (
            replace(ada, token=None).result(REQUEST_RESET, email=email) for email in (EMAIL, "b@example.org")
        )
        assert known == unknown
        assert known == {
            "__typename": "RequestPasswordResetAccepted",
            "message": "If an account has this address, a mail with a link to a new password is on its way.",
        }
        assert len(ada.installed.keys(MailKind.RESET)) == 1

    def test_says_it_in_german(self, ada: Client) -> None:
        """The message is German for Accept-Language: de."""
        assert ada.result(REQUEST_RESET, language="de", email=EMAIL)["message"].startswith("Wenn ein Konto")

    def test_says_what_is_wrong_with_the_address(self, ada: Client) -> None:
        """An address that is not one is answered by path and code."""
        result = ada.result(REQUEST_RESET, email="ada")
        assert (result["__typename"], result["code"]) == ("InvalidInputError", "INVALID_INPUT")
        assert [(found["path"], found["code"]) for found in result["violations"]] == [
            (["input", "email"], "NOT_AN_EMAIL")
        ]

    def test_says_when_to_try_again(self, ada: Client) -> None:
        """After five requests in an hour the answer says how long to wait."""
        for _ in range(5):
            ada.result(REQUEST_RESET, email=EMAIL)
        result = ada.result(REQUEST_RESET, email=EMAIL)
        assert (result["code"], result["retryAfterSeconds"]) == ("TOO_MANY_ATTEMPTS", 3600)


class TestResetPassword:
    def test_needs_the_key_and_no_access_token(self, ada: Client) -> None:
        """The key of the mail sets the password once, and access tokens issued before are refused."""
        form = {"token": reset_key(ada), "password": NEW, "confirmPassword": NEW}
        assert replace(ada, token=None).result(RESET, **form) == {
            "__typename": "ResetPasswordSuccess",
            "message": "Done.",
        }
        assert ada.result(RESET, **form) == {
            "__typename": "ResetTokenError",
            "code": "RESET_TOKEN",
            "message": "This link to a new password is no longer valid.",
            "reason": "UNKNOWN",
        }
        assert is_unauthenticated(ada.ask(UPDATE, {}))

    def test_says_that_a_key_has_expired(self, ada: Client) -> None:
        """An expired key is answered EXPIRED, with a message in the language of Accept-Language."""
        form = {"token": reset_key(ada), "password": NEW, "confirmPassword": NEW}
        ada.installed.clock.move(timedelta(hours=2))
        result = ada.result(RESET, language="de", **form)
        assert (result["reason"], result["message"][:10]) == ("EXPIRED", "Dieser Lin")

    def test_says_all_that_is_wrong_with_the_password(self, ada: Client) -> None:
        """All violations of the new password are answered before the key is looked at."""
        result = ada.result(RESET, token="x", password="short", confirmPassword="other password")
        assert [(found["path"][-1], found["code"], found["minimum"]) for found in result["violations"]] == [
            ("password", "TOO_SHORT", 7),
            ("confirmPassword", "PASSWORDS_DIFFER", None),
        ]


def reset_key(ada: Client) -> str:
    ada.result(REQUEST_RESET, email=EMAIL)
    return ada.installed.keys(MailKind.RESET)[-1]


def is_unauthenticated(answer: Any) -> bool:
    """Whether the answer is UNAUTHENTICATED with null data."""
    ((error,), nothing) = (answer["errors"], answer["data"])
    return nothing is None and error["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("token", [None, "x", "a.b.c"])
@pytest.mark.parametrize(
    ("document", "given"),
    [
        (CHANGE, {"password": PASSWORD, "newPassword": NEW, "confirmPassword": NEW}),
        (UPDATE, {"firstName": "Zoë"}),
        (ERASE, {}),
    ],
)
def test_needs_an_access_token(ada: Client, document: str, given: dict[str, object], token: str | None) -> None:
    """Without an access token every operation on an account is answered UNAUTHENTICATED."""
    before = ada.installed.rows(customer)
    assert is_unauthenticated(replace(ada, token=token).ask(document, given))
    assert ada.installed.rows(customer) == before


class TestChangePassword:
    def test_says_that_it_is_done(self, ada: Client) -> None:
        """After a change of the password, access tokens issued before are refused."""
        assert ada.result(CHANGE, password=PASSWORD, newPassword=NEW, confirmPassword=NEW) == {
            "__typename": "ChangePasswordSuccess",
            "message": "Done.",
        }
        assert is_unauthenticated(ada.ask(UPDATE, {}))
        assert MailKind.PASSWORD_CHANGED in [row["kind"] for row in ada.installed.rows(mail)]

    def test_says_that_the_password_is_wrong(self, ada: Client) -> None:
        """A wrong current password is answered BadCredentialsError."""
        result = ada.result(CHANGE, password="wrong", newPassword=NEW, confirmPassword=NEW)
        assert (result["__typename"], result["code"]) == ("BadCredentialsError", "BAD_CREDENTIALS")

    def test_says_all_that_is_wrong_with_the_new_one(self, ada: Client) -> None:
        """All violations of the new password are answered together."""
        result = ada.result(CHANGE, password="", newPassword="short", confirmPassword="shore")
        assert [(found["path"][-1], found["code"]) for found in result["violations"]] == [
            ("password", "BLANK"),
            ("newPassword", "TOO_SHORT"),
            ("confirmPassword", "TOO_SHORT"),
            ("confirmPassword", "PASSWORDS_DIFFER"),
        ]


@pytest.mark.parametrize(
    ("document", "field", "others"),
    [
        (RESET, "token", {"password": NEW, "confirmPassword": NEW}),
        (RESET, "password", {"token": "x", "confirmPassword": NEW}),
        (RESET, "confirmPassword", {"token": "x", "password": NEW}),
        (CHANGE, "password", {"newPassword": NEW, "confirmPassword": NEW}),
        (CHANGE, "newPassword", {"password": PASSWORD, "confirmPassword": NEW}),
        (CHANGE, "confirmPassword", {"password": PASSWORD, "newPassword": NEW}),
        (UPDATE, "firstName", {}),
        (UPDATE, "lastName", {}),
        (UPDATE, "email", {}),
        (REQUEST_RESET, "email", {}),
    ],
)
def test_an_empty_field_is_one_violation(ada: Client, document: str, field: str, others: dict[str, str]) -> None:
    """An empty field is answered with one violation, which says that it is empty."""
    (found,) = ada.result(document, **{field: "", **others})["violations"]
    assert (found["path"], found["code"]) == (["input", field], "BLANK")


class TestUpdateCustomer:
    def test_changes_what_is_sent(self, ada: Client) -> None:
        """The attributes that are sent change, and the answer shows the whole customer."""
        changes = {"salutation": "DR", "firstName": "Zoë", "gender": "MALE", "dateOfBirth": "1984-05-17"}
        assert ada.result(UPDATE, **changes) == {
            "__typename": "UpdateCustomerSuccess",
            "customer": {"email": EMAIL, "lastName": "Beispiel", **changes},
            "pendingEmail": None,
        }

    def test_changes_the_language_of_mails(self, ada: Client, tmp_path: Path) -> None:
        """After a change of the language the account shows it, and the next mail is in it; null is no language."""
        assert "errors" not in ada.ask(UPDATE, {"language": "DE"})
        assert ada.ask("{ me { language } }", {})["data"] == {"me": {"language": "DE"}}
        ada.result(REQUEST_RESET, email=EMAIL)
        subjects = [mail["Subject"] for mail in deliver(ada.installed.services, tmp_path)]
        assert "Wählen Sie ein neues Passwort" in subjects
        violations = ada.ask(UPDATE, {"language": None})["data"]["result"]["violations"]
        assert [(found["path"][-1], found["code"]) for found in violations] == [("language", "BLANK")]

    def test_null_clears_a_date_of_birth_and_nothing_else(self, ada: Client) -> None:
        """Null clears the date of birth, and is a violation for every other attribute."""
        ada.result(UPDATE, dateOfBirth="1984-05-17")
        assert ada.result(UPDATE)["customer"]["dateOfBirth"] == "1984-05-17"
        assert ada.result(UPDATE, dateOfBirth=None)["customer"]["dateOfBirth"] is None
        nulls: dict[str, Any] = dict.fromkeys(("email", "gender", "salutation", "firstName", "lastName"))
        violations = ada.result(UPDATE, **nulls)["violations"]
        assert [(found["path"][-1], found["code"]) for found in violations] == [(name, "BLANK") for name in nulls]

    def test_parks_another_address(self, ada: Client) -> None:
        """A new address counts once its key comes back, with or without an access token."""
        result = ada.result(UPDATE, email="new@example.net")
        assert result["customer"]["email"] == EMAIL
        assert result["pendingEmail"] == {
            "sentTo": "new@example.net",
            "expiresAt": (ada.installed.clock.now + timedelta(days=1)).isoformat(),
        }
        (key,) = ada.installed.keys(MailKind.EMAIL_CHANGE)
        assert replace(ada, token=None).result(CONFIRM, token=key) == {
            "__typename": "ConfirmEmailChangeSuccess",
            "customer": {"email": "new@example.net"},
        }
        assert ada.result(CONFIRM, token=key)["code"] == "CONFIRMATION_TOKEN"

    def test_another_address_needs_a_proof(self, ada: Client) -> None:
        """Ten minutes after the sign-in another address needs the current password; nothing else does."""
        ada.installed.clock.move(timedelta(minutes=10))
        (found,) = ada.result(UPDATE, email="new@example.net", firstName="Zoë")["violations"]
        assert (found["path"], found["code"]) == (["input", "password"], "MISSING")
        wrong = ada.result(UPDATE, email="new@example.net", firstName="Zoë", password="wrong horse")
        assert wrong["code"] == "BAD_CREDENTIALS"
        assert ada.installed.rows(email_change) == []
        assert ada.result(UPDATE, email=EMAIL.upper(), firstName="Zoë")["customer"]["firstName"] == "Zoë"
        result = ada.result(UPDATE, email="new@example.net", password=PASSWORD)
        assert result["pendingEmail"]["sentTo"] == "new@example.net"

    def test_says_that_an_address_is_taken(self, ada: Client) -> None:
        """A taken address is answered EmailTakenError, also when it was taken before its key came back."""
        ada.result(UPDATE, email="new@example.net")
        (key,) = ada.installed.keys(MailKind.EMAIL_CHANGE)
        member(ada.installed.services, email="new@example.net")
        assert ada.result(UPDATE, email="new@example.net")["code"] == "EMAIL_TAKEN"
        assert ada.result(CONFIRM, token=key)["code"] == "EMAIL_TAKEN"

    def test_says_when_to_try_again(self, ada: Client) -> None:
        """After five mails in an hour to one address the answer says how long to wait."""
        for _ in range(5):
            ada.result(UPDATE, email="new@example.net")
        result = ada.result(UPDATE, email="new@example.net")
        assert (result["code"], result["retryAfterSeconds"]) == ("TOO_MANY_ATTEMPTS", 3600)

    def test_a_customer_erased_meanwhile_is_not_signed_in(self) -> None:
        """A customer erased after the token was checked is answered UNAUTHENTICATED."""
        with pytest.raises(Unauthenticated):
            _result(Gone(), Language.EN)


class TestAnonymizeCustomer:
    @pytest.mark.parametrize("given", [{}, {"password": None}, {"password": PASSWORD}])
    def test_erases_the_caller(self, ada: Client, given: dict[str, Any]) -> None:
        """The access token is enough to erase its customer, and is refused afterwards."""
        assert ada.result(ERASE, **given) == {"__typename": "AnonymizeCustomerSuccess", "message": "Done."}
        assert is_unauthenticated(ada.ask(ERASE, {}))
        assert [row["first_name"] for row in ada.installed.rows(customer)] == [None]
        assert ada.installed.rows(mail) == []

    @pytest.mark.parametrize("password", ["wrong", ""])
    def test_a_wrong_password_is_told(self, ada: Client, password: str) -> None:
        """A wrong password is answered BadCredentialsError, and the customer is not erased."""
        assert ada.result(ERASE, password=password)["code"] == "BAD_CREDENTIALS"
        assert [row["first_name"] for row in ada.installed.rows(customer)] == ["Ada"]


def test_the_policy_shows_what_new_passwords_are_asked_for(database: Database) -> None:
    """The policy shows strength and the check for breaches as they are set; by default neither is on."""
    for policy, shown in (
        (PasswordPolicy(), {"refusesBreached": False, "minStrength": 0}),
        (PasswordPolicy(min_strength=3), {"refusesBreached": False, "minStrength": 3}),
    ):
        with installation(database, GatewaySettings(), policy=policy) as installed:
            answer = installed.client.post("/graphql", json={"query": POLICY})
            assert answer.json() == {"data": {"result": {"password": shown}}}


class TestExportMyData:
    def test_mails_a_link(self, ada: Client) -> None:
        """The answer holds no data: the way to them is the mailbox."""
        assert ada.result(EXPORT) == {
            "__typename": "ExportMyDataAccepted",
            "message": "A mail with a link to your data is on its way.",
        }
        assert len(ada.installed.keys(MailKind.DATA_EXPORT)) == 1
        assert is_unauthenticated(replace(ada, token=None).ask(EXPORT, {}))

    def test_a_customer_erased_meanwhile_is_not_signed_in(self) -> None:
        """A customer erased after the token was checked is answered UNAUTHENTICATED."""
        with pytest.raises(Unauthenticated):
            export_my_data._result(Gone(), Language.EN)

    def test_says_when_to_try_again(self, database: Database) -> None:
        """A client whose budget of mails is used up gets no mail more."""
        two_mails = Budgets([Budget(Cost.MAIL, Payer.MAILBOX, Limit(2, 3600))])
        with installation(database, GatewaySettings(), budgets=two_mails) as limited:
            ada = Client(limited, member(limited.services).tokens.access_token)  # the first mail
            assert [ada.result(EXPORT).get("code") for _ in range(2)] == [None, "TOO_MANY_ATTEMPTS"]


class TestSecureAccount:
    def test_needs_no_access_token(self, ada: Client) -> None:
        """The token of an alert secures the account once; the access token is refused from then on."""
        ada.result(CHANGE, password=PASSWORD, newPassword=NEW, confirmPassword=NEW)
        (key,) = ada.installed.keys(MailKind.PASSWORD_CHANGED)
        stranger = replace(ada, token=None)
        assert stranger.result(SECURE, token=key) == {"__typename": "SecureAccountSuccess", "message": "Done."}
        assert stranger.result(SECURE, token=key) == {
            "__typename": "AlertTokenError",
            "code": "ALERT_TOKEN",
            "message": "This link is no longer valid.",
        }
        assert "errors" in ada.ask(ERASE, {})

    def test_tells_that_the_address_is_taken(self, ada: Client) -> None:
        """Where another customer has the former address by now, the answer says so."""
        update = ada.result(UPDATE, email="new@example.org")
        assert update["__typename"] == "UpdateCustomerSuccess"
        ada.result(CONFIRM, token=ada.installed.keys(MailKind.EMAIL_CHANGE)[-1])
        member(ada.installed.services)
        (key,) = ada.installed.keys(MailKind.EMAIL_CHANGE_NOTICE)
        assert replace(ada, token=None).result(SECURE, token=key)["code"] == "EMAIL_TAKEN"

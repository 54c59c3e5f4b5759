"""createCustomer through the whole application, on both engines."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from graphql_api.operations.create_customer import RegistrationAccepted, _result
from registration.language import Language
from registration.outcomes import SignUpAccepted
from registration.storage.database import Database
from registration.storage.tables import confirmation_token, customer, email_claim, event, mail
from tests.budgets import sign_up_budget
from tests.graphql_api.installation import CREATE, FORM, Installation, installed

KEY = "a-key-made-by-the-client"


def codes(result: Any) -> list[tuple[str, str]]:
    return [(violation["path"][-1], violation["code"]) for violation in result["violations"]]


class TestASignUp:
    def test_answers_with_the_customer_and_what_happens_next(self, installation: Installation) -> None:
        """A sign-up is answered with the customer, the address of the mail, and the end of the link."""
        result = installation.sign_up(dateOfBirth="1990-02-28")
        customer = result["customer"]
        assert UUID(customer.pop("id")).version == 4
        assert customer.pop("reference").startswith("DE--")
        assert customer == {
            "email": "ada@example.org",
            "salutation": "MS",
            "firstName": "Ada",
            "lastName": "Beispiel",
            "gender": "FEMALE",
            "dateOfBirth": "1990-02-28",
            "createdAt": "2026-11-23T13:36:29.123456+00:00",
            "updatedAt": "2026-11-23T13:36:29.123456+00:00",
            "confirmedAt": None,
        }
        assert result["confirmation"] == {"sentTo": "ada@example.org", "expiresAt": "2026-11-24T13:36:29.123456+00:00"}

    def test_writes_everything_that_belongs_to_it(self, installation: Installation) -> None:
        """A sign-up writes a row of customer, claim, token, mail and event each, and the password as a hash only."""
        installation.sign_up()
        tables = (customer, email_claim, confirmation_token, mail, event)
        assert [len(installation.rows(table)) for table in tables] == [1, 1, 1, 1, 1]
        assert "correct horse" not in str(installation.content())
        assert installation.rows(customer)[0]["password_hash"].startswith("$argon2id$")
        (key,) = installation.confirmation_keys()
        assert key not in str(installation.content())

    @pytest.mark.parametrize(
        ("chosen", "stored"),
        [({"language": "DE"}, Language("de")), ({"language": None}, Language.EN), ({}, Language.EN)],
    )
    def test_stores_the_language_that_was_chosen(
        self, installation: Installation, chosen: dict[str, object], stored: Language
    ) -> None:
        """The field `language` decides the language of mails; without it, Accept-Language does."""
        document = CREATE.replace("id reference email", "id reference email language")
        result = installation.mutate(document, {**FORM, **chosen}, **{"accept-language": "en"})
        assert result["customer"]["language"] == stored.name
        assert [row["language"] for row in installation.rows(customer)] == [stored]

    def test_speaks_of_no_confirmation_where_none_is_asked_for(self, database: Database) -> None:
        """Without confirmation the customer is confirmed at once, and gets a mail of another kind."""
        with installed(database, confirmation=None) as installation:
            result = installation.sign_up()
            assert result["confirmation"] is None
            assert result["customer"]["confirmedAt"] == result["customer"]["createdAt"]
            assert [row["kind"] for row in installation.rows(mail)] == ["welcome"]

    @pytest.mark.parametrize(
        "changes",
        [
            {"firstName": "😀🧑‍🚀", "lastName": "👩‍👩‍👧"},
            {"firstName": "عائشة", "lastName": "בן־דוד"},
            {"firstName": "\u202eevil\u202c", "lastName": "𝔄𝔡𝔞"},
            {"firstName": "0", "lastName": "x" * 100},
            {"email": "аda@example.org"},  # a Cyrillic first letter: another mailbox than Ada's
            {"email": "ada@bücher.example"},
            {"email": "用户@例え.テスト"},
            {"email": "ada@xn--bcher-kva.example"},
            {"password": "пароль-🔑", "confirmPassword": "пароль-🔑"},
            {"password": "x" * 64 + "\x00" + "y" * 63, "confirmPassword": "x" * 64 + "\x00" + "y" * 63},
            {"dateOfBirth": None, "idempotencyKey": None},
        ],
    )
    def test_takes_any_text_that_a_person_can_be_called_by(
        self, installation: Installation, changes: dict[str, str]
    ) -> None:
        """Emoji, right-to-left text, look-alikes and international addresses come back as sent."""
        result = installation.sign_up(**changes)
        assert result["__typename"] == "CreateCustomerSuccess", result
        sent = {**FORM, **changes}
        assert {name: result["customer"][name] for name in ("firstName", "lastName", "email")} == {
            name: sent[name] for name in ("firstName", "lastName", "email")
        }


class TestATakenAddress:
    def test_is_told_once_and_writes_nothing(self, installation: Installation) -> None:
        """A taken address is answered EmailTakenError in any spelling, and nothing but the attempt is written."""
        installation.sign_up(email="ada@bücher.example")
        before = installation.content() | {"attempt": []}
        again = FORM | {"email": "ADA@XN--BCHER-KVA.example"}
        assert installation.mutate(CREATE, again, **{"accept-language": "de-AT, en;q=0.5"}) == {
            "__typename": "EmailTakenError",
            "code": "EMAIL_TAKEN",
            "message": "Diese E-Mail-Adresse ist bereits registriert oder wartet auf ihre Bestätigung.",
        }
        assert installation.content() | {"attempt": []} == before

    def test_is_free_again_when_its_confirmation_has_expired(self, installation: Installation) -> None:
        """A sign-up for an expired one's address replaces its names, password and key."""
        first = installation.sign_up()
        installation.clock.move(timedelta(days=1))
        assert installation.sign_up(firstName="Eve")["customer"]["firstName"] == "Eve"
        (row,) = installation.rows(customer)
        assert (row["first_name"], str(row["id"]) == first["customer"]["id"]) == ("Eve", False)
        assert len(installation.confirmation_keys()) == 1


class TestInvalidInput:
    def test_reports_every_violation_at_once(self, installation: Installation) -> None:
        """All violations are answered together with path, code and limit, and nothing is written."""
        before = installation.content()
        result = installation.sign_up(
            firstName="",
            lastName="x" * 101,
            email=f"{'a' * 65}@example.org",
            password="short",
            confirmPassword="other",
            acceptedTerms=False,
            idempotencyKey="too short",
        )
        assert (result["__typename"], result["code"]) == ("InvalidInputError", "INVALID_INPUT")
        assert codes(result) == [
            ("email", "NOT_AN_EMAIL"),
            ("firstName", "BLANK"),
            ("lastName", "TOO_LONG"),
            ("password", "TOO_SHORT"),
            ("confirmPassword", "TOO_SHORT"),
            ("acceptedTerms", "NOT_TRUE"),
            ("idempotencyKey", "TOO_SHORT"),
            ("confirmPassword", "PASSWORDS_DIFFER"),
        ]
        too_long = result["violations"][2]
        assert too_long == {
            "path": ["input", "lastName"],
            "code": "TOO_LONG",
            "message": "This value may have 100 characters at most.",
            "minimum": None,
            "maximum": 100,
        }
        assert installation.content() == before

    def test_speaks_the_language_of_the_caller(self, installation: Installation) -> None:
        """Messages follow Accept-Language; codes stay."""
        result = installation.mutate(CREATE, FORM | {"password": "x"}, **{"accept-language": "de"})
        assert result["message"] == "Einige Angaben sind nicht gültig."
        assert [violation["message"] for violation in result["violations"]] == [
            "Diese Angabe braucht mindestens 7 Zeichen.",
            "Die beiden Passwörter stimmen nicht überein.",
        ]

    def test_refuses_the_commonest_passwords(self, installation: Installation) -> None:
        """A common password is refused in any case of letters."""
        result = installation.sign_up(password="PassWord", confirmPassword="PassWord")
        assert codes(result) == [("password", "PASSWORD_COMMON")]


class TestAnIdempotencyKey:
    def test_gives_one_outcome_however_often_it_is_sent(self, installation: Installation) -> None:
        """A repeated idempotency key returns the same customer and writes nothing more."""
        first = installation.sign_up(idempotencyKey=KEY)
        before = installation.content()
        assert installation.sign_up(idempotencyKey=KEY) == first
        assert installation.content() == before

    def test_with_other_input_is_a_conflict(self, installation: Installation) -> None:
        """An idempotency key with other input is answered IdempotencyConflictError without the customer."""
        installation.sign_up(idempotencyKey=KEY)
        assert installation.sign_up(idempotencyKey=KEY, password="other horse", confirmPassword="other horse") == {
            "__typename": "IdempotencyConflictError",
            "code": "IDEMPOTENCY_CONFLICT",
            "message": "This idempotency key was already used with other input.",
        }


def test_too_many_sign_ups_from_one_address_are_told_when_to_come_back(database: Database) -> None:
    """Above GATEWAY_SIGN_UP_LIMIT a client IP is answered with the seconds to wait."""
    with installed(database, budgets=sign_up_budget(1)) as installation:
        assert installation.sign_up()["__typename"] == "CreateCustomerSuccess"
        assert installation.sign_up(email="bob@example.org") == {
            "__typename": "TooManyAttemptsError",
            "code": "TOO_MANY_ATTEMPTS",
            "message": "Too many attempts. Please try again later.",
            "retryAfterSeconds": 3600,
        }
        assert len(installation.rows(customer)) == 1


def test_an_accepted_registration_tells_nothing_about_the_address() -> None:
    """RegistrationAccepted says only that a mail is on its way."""
    result = _result(SignUpAccepted("handle"), Language("de"))
    assert result == RegistrationAccepted(
        message="Wenn diese Adresse verwendet werden kann, ist eine E-Mail unterwegs.", handle="handle"
    )


def test_errors_can_be_read_through_their_interface(installation: Installation) -> None:
    """A client that selects UserError alone reads every error of the union."""
    query = "mutation($input: CreateCustomerInput!) { createCustomer(input: $input) { ... on UserError { code } } }"
    assert installation.mutate(query, FORM | {"firstName": ""}) == {"code": "INVALID_INPUT"}
    assert installation.mutate(query, FORM) == {}
    assert installation.mutate(query, FORM) == {"code": "EMAIL_TAKEN"}

"""The rules of a sign-up: each at its stage, alone and together with the others."""

from collections.abc import Callable
from datetime import date
from string import ascii_letters, digits
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from registration.outcomes import Stage, Violation, ViolationCode
from registration.rules.form import as_date, has_control_character, is_true
from registration.rules.password import SPECIALS, PasswordPolicy, has_asked_characters
from tests.registration.forms import form
from tests.registration.violations import email_violations, sign_up_violations, text_violations

Code = ViolationCode
DEFAULT = PasswordPolicy()
STRICT = PasswordPolicy(
    min_length=12, max_length=20, character_rule=True, repeats_rule=True, deny_list=frozenset({"change123"})
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ATTRIBUTES = (*form(), "dateOfBirth", "idempotencyKey")
LONG = "x" * 101


def found(raw: dict[str, object], policy: PasswordPolicy = DEFAULT) -> list[Violation]:
    return sign_up_violations(raw, policy)


def codes(raw: dict[str, object], attribute: str, policy: PasswordPolicy = DEFAULT) -> list[tuple[Code, Stage]]:
    """The violations of these attributes, which must all be at one attribute."""
    violations = found(raw, policy)
    assert {violation.attribute for violation in violations} <= {attribute}
    return [(violation.code, violation.stage) for violation in violations]


class TestSignUp:
    def test_a_good_form_breaks_no_rule(self) -> None:
        """A form that keeps the rules has no violation, with and without optional attributes."""
        assert found(form()) == []
        assert found(form(dateOfBirth="1915-12-10", idempotencyKey="k" * 16, shoeSize="?")) == []

    def test_an_empty_form_reports_every_attribute(self) -> None:
        """An empty form reports every required attribute as missing, in the contract's order."""
        assert found({}) == [
            Violation(name, Code.MISSING)
            for name in (
                *("email", "gender", "salutation", "firstName", "lastName"),
                *("password", "confirmPassword", "acceptedTerms"),
            )
        ]

    def test_every_violation_is_reported_at_once(self) -> None:
        """Violations of all stages are reported at once; the doors decide which they show."""
        wrong = form(
            email="ada@exam_ple.org",
            gender="?",
            salutation=5,
            firstName="",
            lastName=LONG,
            password="change123",
            confirmPassword="other",
            acceptedTerms=None,
            dateOfBirth="tomorrow",
            idempotencyKey="short",
        )
        assert [(violation.attribute, violation.code, violation.stage) for violation in found(wrong, STRICT)] == [
            ("email", Code.NOT_AN_EMAIL, Stage.EMAIL),
            ("gender", Code.NOT_A_CHOICE, Stage.ATTRIBUTE),
            ("salutation", Code.NOT_A_CHOICE, Stage.ATTRIBUTE),
            ("firstName", Code.BLANK, Stage.ATTRIBUTE),
            ("lastName", Code.TOO_LONG, Stage.ATTRIBUTE),
            ("password", Code.TOO_SHORT, Stage.ATTRIBUTE),
            ("password", Code.PASSWORD_CHARACTERS, Stage.ATTRIBUTE),
            ("password", Code.PASSWORD_COMMON, Stage.PASSWORD),
            ("confirmPassword", Code.TOO_SHORT, Stage.ATTRIBUTE),
            ("acceptedTerms", Code.NOT_TRUE, Stage.TERMS),
            ("dateOfBirth", Code.NOT_A_DATE, Stage.ATTRIBUTE),
            ("idempotencyKey", Code.TOO_SHORT, Stage.ATTRIBUTE),
            ("confirmPassword", Code.PASSWORDS_DIFFER, Stage.AGREEMENT),
        ]

    @pytest.mark.parametrize("attribute", ["email", "firstName", "lastName"])
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            *((None, [Code.BLANK]), (False, [Code.BLANK]), ([], [Code.BLANK]), ("", [Code.BLANK])),
            *((True, [Code.NOT_A_STRING]), (0, [Code.NOT_A_STRING]), ({}, [Code.NOT_A_STRING])),
            *((["x"], [Code.NOT_A_STRING]), (1.5, [Code.NOT_A_STRING])),
        ],
    )
    def test_other_types_are_no_text(self, attribute: str, value: object, expected: list[Code]) -> None:
        """A blank value is reported as blank, and any other value that is no text as no text."""
        assert codes(form(**{attribute: value}), attribute) == [(code, Stage.ATTRIBUTE) for code in expected]

    @pytest.mark.parametrize(
        ("email", "expected"),
        [
            ("ada", [(Code.NOT_AN_EMAIL, Stage.ATTRIBUTE)]),
            ("ada@exam_ple.org", [(Code.NOT_AN_EMAIL, Stage.EMAIL)]),
            (f"{'a' * 64}@{'b' * 31}.org", []),
            (f"{'a' * 64}@{'b' * 32}.org", [(Code.TOO_LONG, Stage.EMAIL)]),
            (f"{'a' * 65}@example.org", [(Code.NOT_AN_EMAIL, Stage.EMAIL)]),
            (f"{'a' * 89}@example.org", [(Code.TOO_LONG, Stage.EMAIL)]),
            # Octets, not letters (RFC 6531, 3.3).
            (f"{'é' * 32}@example.org", []),
            (f"{'é' * 32}e@example.org", [(Code.NOT_AN_EMAIL, Stage.EMAIL)]),
            ("a" * 101, [(Code.NOT_AN_EMAIL, Stage.ATTRIBUTE), (Code.TOO_LONG, Stage.EMAIL)]),
            (f"{'a' * 400}@example.org", [(Code.NOT_AN_EMAIL, Stage.EMAIL), (Code.TOO_LONG, Stage.EMAIL)]),
        ],
    )
    def test_an_email_has_shape_grammar_and_length(self, email: str, expected: list[tuple[Code, Stage]]) -> None:
        """The shape of an address is a rule of the attribute; its grammar and length are rules of a later stage."""
        assert codes(form(email=email), "email") == expected

    @pytest.mark.parametrize("attribute", ["gender", "salutation"])
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            *((None, [Code.BLANK]), ("", [Code.BLANK, Code.NOT_A_CHOICE]), (False, [Code.BLANK, Code.NOT_A_CHOICE])),
            *(("mr", [Code.NOT_A_CHOICE]), (0, [Code.NOT_A_CHOICE]), ({"Mr": 1}, [Code.NOT_A_CHOICE])),
            (["Mr"], [Code.NOT_A_CHOICE]),
        ],
    )
    def test_a_choice_is_written_exactly(self, attribute: str, value: object, expected: list[Code]) -> None:
        """A choice that is not written exactly as in the contract is refused."""
        assert codes(form(**{attribute: value}), attribute) == [(code, Stage.ATTRIBUTE) for code in expected]

    @pytest.mark.parametrize(
        "name", ["x" * 100, "𝐀" * 100, "Ὀδυσσεύς", "🙂", " ", "0", "مُحَمَّد", "\u200d", "a\u00a0b", "<b>"]
    )
    def test_names_are_any_text(self, name: str) -> None:
        """A name of a hundred characters of any script is accepted, and white space is not trimmed."""
        assert found(form(firstName=name)) == []

    @pytest.mark.parametrize("name", ["a\nb", "a\x00", "\x7f", "a\u0085", "a\u2028", "\u2029", "\ud800", "a\tb"])
    def test_names_hold_no_control_characters(self, name: str) -> None:
        """A name with a control character or half a surrogate pair is refused."""
        assert codes(form(lastName=name), "lastName") == [(Code.FORBIDDEN_CHARACTER, Stage.ATTRIBUTE)]

    def test_names_have_a_maximum(self) -> None:
        """A name of over a hundred code points is too long, and the violation says how many are allowed."""
        assert found(form(firstName="𝐀" * 101)) == [Violation("firstName", Code.TOO_LONG, maximum=100)]

    @pytest.mark.parametrize("value", [True, 1, "1"])
    def test_terms_are_accepted(self, value: object) -> None:
        """True, 1 and "1" accept the terms, as the contract reads truth."""
        assert is_true(value)
        assert found(form(acceptedTerms=value)) == []

    @pytest.mark.parametrize("value", [False, 0, "", "true", 1.0, [], [True], {}, "yes", 2])
    def test_terms_are_not_accepted(self, value: object) -> None:
        """Any other value does not accept the terms."""
        assert codes(form(acceptedTerms=value), "acceptedTerms") == [(Code.NOT_TRUE, Stage.ATTRIBUTE)]

    def test_terms_of_null_are_a_stage_of_their_own(self) -> None:
        """Terms of null are a violation of a stage of their own, which the contract answers with another code."""
        assert codes(form(acceptedTerms=None), "acceptedTerms") == [(Code.NOT_TRUE, Stage.TERMS)]

    @pytest.mark.parametrize("value", [None, "", "1915-12-10", "2024-02-29", "1896-01-01", "2026-11-23"])
    def test_a_date_is_optional(self, value: object) -> None:
        """A date of birth may be a calendar date, null or an empty text."""
        assert found(form(dateOfBirth=value)) == []

    @pytest.mark.parametrize("value", ["2026-11-24", "2999-01-01", "9999-12-31", "1895-12-31", "0001-01-01"])
    @pytest.mark.parametrize("typed", [str, date.fromisoformat])
    def test_nobody_is_born_in_the_future_or_too_long_ago(self, value: str, typed: Callable[[str], object]) -> None:
        """A date of birth after today, or before the last 130 years, is out of range; the rules are given the day."""
        assert codes(form(dateOfBirth=typed(value)), "dateOfBirth") == [(Code.DATE_OUT_OF_RANGE, Stage.ATTRIBUTE)]

    @pytest.mark.parametrize(
        "value",
        ["2023-02-29", "0000-01-01", "1815-12-1", "18151210", "1815-12-10T00:00", "१८१५-१२-१०", 5, [], {}, False, " "],
    )
    def test_other_values_are_no_dates(self, value: object) -> None:
        """A value that is in no calendar, or written otherwise, is no date."""
        assert codes(form(dateOfBirth=value), "dateOfBirth") == [(Code.NOT_A_DATE, Stage.ATTRIBUTE)]

    def test_idempotency_key_has_a_length(self) -> None:
        """An idempotency key has 16 to 255 characters; a value that is no text is ignored."""
        assert found(form(idempotencyKey="k" * 255)) == found(form(idempotencyKey=5)) == []
        assert found(form(idempotencyKey="k" * 15)) == [Violation("idempotencyKey", Code.TOO_SHORT, minimum=16)]
        assert found(form(idempotencyKey="k" * 256)) == [Violation("idempotencyKey", Code.TOO_LONG, maximum=255)]


def pair(password: object) -> dict[str, object]:
    return form(password=password, confirmPassword=password)


class TestPasswords:
    @pytest.mark.parametrize(
        ("password", "expected"),
        [
            (None, [Code.BLANK]),
            ("", [Code.BLANK, Code.TOO_SHORT]),
            (5, [Code.NOT_A_STRING]),
            ("x" * 6, [Code.TOO_SHORT]),
            ("x" * 7, []),
            ("🙂" * 128, []),
            ("x" * 129, [Code.TOO_LONG]),
        ],
    )
    def test_lengths_hold_for_both_fields(self, password: object, expected: list[Code]) -> None:
        """Password and confirmation have 7 to 128 characters by default, of any kind."""
        violations = found(pair(password))
        assert [(violation.attribute, violation.code) for violation in violations] == [
            (name, code) for name in ("password", "confirmPassword") for code in expected
        ]

    def test_lengths_are_settings(self) -> None:
        """The policy sets the lengths, and the violations name them."""
        assert found(pair("Aa1!aA1?aA1"), STRICT) == [
            Violation(name, Code.TOO_SHORT, minimum=12) for name in ("password", "confirmPassword")
        ]
        assert [violation.maximum for violation in found(pair("Aa1!" * 6), STRICT)] == [20, 20]

    @pytest.mark.parametrize(
        "password", ["aa1!aa1!aa1!", "AA1!AA1!AA1!", "Aaa!Aaa!Aaa!", "Aa1aAa1aAa1a", "Aa1!Aa1!Aa1ä"]
    )
    def test_character_rule(self, password: str) -> None:
        """The character rule refuses a password that lacks a class or has another character."""
        assert codes(pair(password), "password", STRICT) == [(Code.PASSWORD_CHARACTERS, Stage.ATTRIBUTE)]
        assert found(pair(password)) == []

    @pytest.mark.parametrize("special", SPECIALS)
    def test_character_rule_knows_every_special(self, special: str) -> None:
        """Each special character of the contract's list counts, brackets and backslash too."""
        assert has_asked_characters(f"Aa1{special}")

    @pytest.mark.parametrize("other", ["§", " ", "'", '"', "`", "\n"])
    def test_character_rule_knows_no_other_special(self, other: str) -> None:
        """A character that is in no class is refused."""
        assert not has_asked_characters(f"Aa1!{other}")

    def test_no_letter_and_no_digit_is_special(self) -> None:
        """A password of all letters and digits of ASCII lacks a special character."""
        assert not has_asked_characters(ascii_letters + digits)

    @pytest.mark.parametrize("password", ["change123", "CHANGE123", "Change123"])
    def test_deny_list(self, password: str) -> None:
        """A password on the deny list is refused in any case of its letters."""
        policy = PasswordPolicy(deny_list=frozenset({"change123"}))
        assert codes(pair(password), "password", policy) == [(Code.PASSWORD_COMMON, Stage.PASSWORD)]
        assert found(pair(f"{password}4"), policy) == []

    @pytest.mark.parametrize("password", ["passwooord", "xxxxxxx", "ab\n\n\ncd", "🙂🙂🙂abcd"])
    def test_repeats_rule(self, password: str) -> None:
        """The repeats rule refuses three equal characters in a row, whatever they are."""
        policy = PasswordPolicy(repeats_rule=True)
        assert codes(pair(password), "password", policy) == [(Code.PASSWORD_REPEATS, Stage.PASSWORD)]
        assert found(pair("abbcddee"), policy) == found(pair(password)) == []

    def test_password_and_confirmation_must_be_equal(self) -> None:
        """A confirmation that differs in the case of one letter is refused, at the confirmation."""
        assert codes(form(confirmPassword="Correct horse"), "confirmPassword") == [
            (Code.PASSWORDS_DIFFER, Stage.AGREEMENT)
        ]

    def test_agreement_needs_two_texts(self) -> None:
        """A confirmation that is no text is reported as such, and not as different."""
        assert codes(form(confirmPassword=None), "confirmPassword") == [(Code.BLANK, Stage.ATTRIBUTE)]


class TestSingleAttributes:
    def test_address_alone(self) -> None:
        """A request with only an address has the rule of the sign-up, under the attribute's name there."""
        assert email_violations({"email": "ada@example.org"}) == []
        assert email_violations({}) == [Violation("email", Code.MISSING)]
        assert email_violations({"to": "ada"}, "to") == [Violation("to", Code.NOT_AN_EMAIL)]

    def test_text_alone(self) -> None:
        """A request with only a text tells missing, blank and other types apart."""
        assert text_violations({"token": "0"}, "token") == []
        assert text_violations({}, "token") == [Violation("token", Code.MISSING)]
        assert text_violations({"token": ""}, "token") == [Violation("token", Code.BLANK)]
        assert text_violations({"token": 0}, "token") == [Violation("token", Code.NOT_A_STRING)]


def test_date_is_read() -> None:
    """Only a text of the form YYYY-MM-DD becomes a date."""
    assert as_date("1815-12-10") == date(1815, 12, 10)
    assert as_date("1815-13-10") is as_date(date(1815, 12, 10)) is None


@given(st.text())
def test_control_characters_are_found_wherever_they_stand(text: str) -> None:
    """A text has a control character exactly if one of its letters is one."""
    assert has_control_character(text) == any(has_control_character(letter) for letter in text)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(ATTRIBUTES, JSON)), st.sampled_from([DEFAULT, STRICT]))
@example(form(password="\ud800" * 8, confirmPassword="\ud800" * 8), STRICT)
@example(form(email="\ud800@\ud800.org"), STRICT)
def test_any_json_has_an_outcome(raw: dict[str, Any], policy: PasswordPolicy) -> None:
    """No JSON raises; each violation names one attribute and is reported once."""
    violations = found(raw, policy)
    assert {violation.attribute for violation in violations} <= set(ATTRIBUTES)
    assert len({(violation.attribute, violation.code, violation.stage) for violation in violations}) == len(violations)


@given(st.data())
def test_rules_look_at_one_attribute_at_a_time(data: st.DataObject) -> None:
    """A wrong value is reported at its own attribute only, but for the two passwords."""
    attribute = data.draw(st.sampled_from(ATTRIBUTES))
    violations = found(form(**{attribute: data.draw(JSON)}))
    allowed = {attribute, "confirmPassword"} if attribute == "password" else {attribute}
    assert {violation.attribute for violation in violations} <= allowed

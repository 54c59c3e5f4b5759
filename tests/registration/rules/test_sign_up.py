"""The rules of a sign-up: each of them, at its stage, alone and together with all others."""

from datetime import date
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
    """What is found, all of it at one attribute."""
    violations = found(raw, policy)
    assert {violation.attribute for violation in violations} <= {attribute}
    return [(violation.code, violation.stage) for violation in violations]


class TestSignUp:
    def test_a_good_form_breaks_no_rule(self) -> None:
        """Neither without what is optional nor with it."""
        assert found(form()) == []
        assert found(form(dateOfBirth="1815-12-10", idempotencyKey="k" * 16, shoeSize="?")) == []

    def test_an_empty_form_reports_every_attribute(self) -> None:
        """All that is missing is named at once, in the contract's order."""
        assert found({}) == [
            Violation(name, Code.MISSING)
            for name in (
                *("email", "gender", "salutation", "firstName", "lastName"),
                *("password", "confirmPassword", "acceptedTerms"),
            )
        ]

    def test_everything_wrong_is_reported_at_once(self) -> None:
        """Violations of all stages come together: who may answer alone is for the doors to say."""
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
    def test_texts_are_texts(self, attribute: str, value: object, expected: list[Code]) -> None:
        """What counts as blank is blank, any other value that is no text is none."""
        assert codes(form(**{attribute: value}), attribute) == [(code, Stage.ATTRIBUTE) for code in expected]

    @pytest.mark.parametrize(
        ("email", "expected"),
        [
            ("ada", [(Code.NOT_AN_EMAIL, Stage.ATTRIBUTE)]),
            ("ada@exam_ple.org", [(Code.NOT_AN_EMAIL, Stage.EMAIL)]),
            (f"{'a' * 88}@example.org", []),
            (f"{'a' * 89}@example.org", [(Code.TOO_LONG, Stage.EMAIL)]),
            ("a" * 101, [(Code.NOT_AN_EMAIL, Stage.ATTRIBUTE), (Code.TOO_LONG, Stage.EMAIL)]),
            (f"{'a' * 400}@example.org", [(Code.NOT_AN_EMAIL, Stage.EMAIL), (Code.TOO_LONG, Stage.EMAIL)]),
        ],
    )
    def test_email(self, email: str, expected: list[tuple[Code, Stage]]) -> None:
        """The shape is a rule of the attribute; grammar and length are looked at last."""
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
    def test_choices(self, attribute: str, value: object, expected: list[Code]) -> None:
        """Choices are written exactly as the contract writes them."""
        assert codes(form(**{attribute: value}), attribute) == [(code, Stage.ATTRIBUTE) for code in expected]

    @pytest.mark.parametrize(
        "name", ["x" * 100, "𝐀" * 100, "Ὀδυσσεύς", "🙂", " ", "0", "مُحَمَّد", "\u200d", "a\u00a0b", "<b>"]
    )
    def test_names_are_any_text(self, name: str) -> None:
        """A hundred characters of any script; white space is not trimmed."""
        assert found(form(firstName=name)) == []

    @pytest.mark.parametrize("name", ["a\nb", "a\x00", "\x7f", "a\u0085", "a\u2028", "\u2029", "\ud800", "a\tb"])
    def test_names_hold_no_control_characters(self, name: str) -> None:
        """Line ends and their like would forge a line in a mail or a log; half a surrogate pair cannot be stored."""
        assert codes(form(lastName=name), "lastName") == [(Code.FORBIDDEN_CHARACTER, Stage.ATTRIBUTE)]

    def test_names_have_a_maximum(self) -> None:
        """It is counted in code points and reported."""
        assert found(form(firstName="𝐀" * 101)) == [Violation("firstName", Code.TOO_LONG, maximum=100)]

    @pytest.mark.parametrize("value", [True, 1, "1"])
    def test_terms_are_accepted(self, value: object) -> None:
        """As the contract reads truth."""
        assert is_true(value)
        assert found(form(acceptedTerms=value)) == []

    @pytest.mark.parametrize("value", [False, 0, "", "true", 1.0, [], [True], {}, "yes", 2])
    def test_terms_are_not_accepted(self, value: object) -> None:
        """Nothing else is."""
        assert codes(form(acceptedTerms=value), "acceptedTerms") == [(Code.NOT_TRUE, Stage.ATTRIBUTE)]

    def test_terms_of_null_are_a_stage_of_their_own(self) -> None:
        """The contract answers them with another code."""
        assert codes(form(acceptedTerms=None), "acceptedTerms") == [(Code.NOT_TRUE, Stage.TERMS)]

    @pytest.mark.parametrize("value", [None, "", "1815-12-10", "2024-02-29", "0001-01-01"])
    def test_dates(self, value: object) -> None:
        """A date is optional."""
        assert found(form(dateOfBirth=value)) == []

    @pytest.mark.parametrize(
        "value",
        ["2023-02-29", "0000-01-01", "1815-12-1", "18151210", "1815-12-10T00:00", "१८१५-१२-१०", 5, [], {}, False, " "],
    )
    def test_no_dates(self, value: object) -> None:
        """What is in no calendar, or written otherwise, is no date."""
        assert codes(form(dateOfBirth=value), "dateOfBirth") == [(Code.NOT_A_DATE, Stage.ATTRIBUTE)]

    def test_idempotency_key_has_a_length(self) -> None:
        """Long enough that nobody meets another's by chance; what is no text is no key."""
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
        """In characters, by default 7 to 128; anything else may be in a password."""
        violations = found(pair(password))
        assert [(violation.attribute, violation.code) for violation in violations] == [
            (name, code) for name in ("password", "confirmPassword") for code in expected
        ]

    def test_lengths_are_settings(self) -> None:
        """The violations say what they are."""
        assert found(pair("Aa1!aA1?aA1"), STRICT) == [
            Violation(name, Code.TOO_SHORT, minimum=12) for name in ("password", "confirmPassword")
        ]
        assert [violation.maximum for violation in found(pair("Aa1!" * 6), STRICT)] == [20, 20]

    @pytest.mark.parametrize(
        "password", ["aa1!aa1!aa1!", "AA1!AA1!AA1!", "Aaa!Aaa!Aaa!", "Aa1aAa1aAa1a", "Aa1!Aa1!Aa1ä"]
    )
    def test_character_rule(self, password: str) -> None:
        """One class missing or one letter from elsewhere is enough; it is the attribute's own rule."""
        assert codes(pair(password), "password", STRICT) == [(Code.PASSWORD_CHARACTERS, Stage.ATTRIBUTE)]
        assert found(pair(password)) == []

    @pytest.mark.parametrize("special", SPECIALS)
    def test_character_rule_knows_every_special(self, special: str) -> None:
        """Each of the contract's list counts, brackets and backslash too."""
        assert has_asked_characters(f"Aa1{special}")

    @pytest.mark.parametrize("other", ["§", " ", "'", '"', "`", "\n"])
    def test_character_rule_knows_no_other_special(self, other: str) -> None:
        """What is not in the list is not allowed, even beside what is."""
        assert not has_asked_characters(f"Aa1!{other}")

    @pytest.mark.parametrize("password", ["change123", "CHANGE123", "Change123"])
    def test_deny_list(self, password: str) -> None:
        """Case is no disguise."""
        policy = PasswordPolicy(deny_list=frozenset({"change123"}))
        assert codes(pair(password), "password", policy) == [(Code.PASSWORD_COMMON, Stage.PASSWORD)]
        assert found(pair(f"{password}4"), policy) == []

    @pytest.mark.parametrize("password", ["passwooord", "xxxxxxx", "ab\n\n\ncd", "🙂🙂🙂abcd"])
    def test_repeats_rule(self, password: str) -> None:
        """Three of the same in a row, whatever they are."""
        policy = PasswordPolicy(repeats_rule=True)
        assert codes(pair(password), "password", policy) == [(Code.PASSWORD_REPEATS, Stage.PASSWORD)]
        assert found(pair("abbcddee"), policy) == found(pair(password)) == []

    def test_both_must_agree(self) -> None:
        """They differ by one letter's case; it is told at the confirmation."""
        assert codes(form(confirmPassword="Correct horse"), "confirmPassword") == [
            (Code.PASSWORDS_DIFFER, Stage.AGREEMENT)
        ]

    def test_agreement_needs_two_texts(self) -> None:
        """Nothing is said about agreement where one is not there at all."""
        assert codes(form(confirmPassword=None), "confirmPassword") == [(Code.BLANK, Stage.ATTRIBUTE)]


class TestSingleAttributes:
    def test_address_alone(self) -> None:
        """The same rule as at sign-up, under the name of the request."""
        assert email_violations({"email": "ada@example.org"}) == []
        assert email_violations({}) == [Violation("email", Code.MISSING)]
        assert email_violations({"to": "ada"}, "to") == [Violation("to", Code.NOT_AN_EMAIL)]

    def test_text_alone(self) -> None:
        """Missing, blank and of another type are told apart."""
        assert text_violations({"token": "0"}, "token") == []
        assert text_violations({}, "token") == [Violation("token", Code.MISSING)]
        assert text_violations({"token": ""}, "token") == [Violation("token", Code.BLANK)]
        assert text_violations({"token": 0}, "token") == [Violation("token", Code.NOT_A_STRING)]


def test_date_is_read() -> None:
    """Only a text in the one form becomes a date."""
    assert as_date("1815-12-10") == date(1815, 12, 10)
    assert as_date("1815-13-10") is as_date(date(1815, 12, 10)) is None


@given(st.text())
def test_control_characters_are_found_wherever_they_stand(text: str) -> None:
    """A text is as forbidden as the worst of its letters."""
    assert has_control_character(text) == any(has_control_character(letter) for letter in text)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(ATTRIBUTES, JSON)), st.sampled_from([DEFAULT, STRICT]))
@example(form(password="\ud800" * 8, confirmPassword="\ud800" * 8), STRICT)
@example(form(email="\ud800@\ud800.org"), STRICT)
def test_rules_never_raise(raw: dict[str, Any], policy: PasswordPolicy) -> None:
    """Whatever JSON holds, each violation names one attribute, and is reported once."""
    violations = found(raw, policy)
    assert {violation.attribute for violation in violations} <= set(ATTRIBUTES)
    assert len({(violation.attribute, violation.code, violation.stage) for violation in violations}) == len(violations)


@given(st.data())
def test_rules_look_at_one_attribute_at_a_time(data: st.DataObject) -> None:
    """A wrong value is reported at its own attribute and nowhere else; only the two passwords look at each other."""
    attribute = data.draw(st.sampled_from(ATTRIBUTES))
    violations = found(form(**{attribute: data.draw(JSON)}))
    allowed = {attribute, "confirmPassword"} if attribute == "password" else {attribute}
    assert {violation.attribute for violation in violations} <= allowed

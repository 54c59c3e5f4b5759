import pytest
from hypothesis import given
from hypothesis import strategies as st

from registration.language import Language
from registration.outcomes import Stage, Violation, ViolationCode
from registration.rules.password import PasswordPolicy
from rest_compat.errors import (
    OUTCOMES,
    VIOLATIONS,
    locked_out,
    read_violations,
    unavailable,
    violation_errors,
)
from rest_compat.jsonapi import Error
from tests.registration.violations import sign_up_violations, text_violations

STRICT = PasswordPolicy(
    min_length=12, character_rule=True, repeats_rule=True, deny_list=frozenset({"qwerty", "aaaaaaaaaaaaa"})
)
GOOD = {
    "email": "sonia@example.org",
    "gender": "Female",
    "salutation": "Mrs",
    "firstName": "Sonia",
    "lastName": "Wagner",
    "password": "Change-me-123",
    "confirmPassword": "Change-me-123",
    "acceptedTerms": True,
}
LONG = "x" * 101

BROKEN: dict[str, list[tuple[object, list[tuple[int, str, str]]]]] = {
    "email": [
        (..., [(422, "901", "email => This field is missing.")]),
        (None, [(422, "901", "email => This value should not be blank.")]),
        ("", [(422, "901", "email => This value should not be blank.")]),
        ([], [(422, "901", "email => This value should not be blank.")]),
        (False, [(422, "901", "email => This value should not be blank.")]),
        ({}, [(422, "901", "email => This value should be of type string.")]),
        (5, [(422, "901", "email => This value should be of type string.")]),
        ("sonia", [(422, "901", "email => This value is not a valid email address.")]),
        (" ", [(422, "901", "email => This value is not a valid email address.")]),
        ("sonia..w@example.org", [(422, "416", "Invalid Email address format.")]),
        (
            f"s@{'a' * 50}.{'b' * 50}.example.org",
            [(422, "417", "Email is too long. It should have 100 characters or less.")],
        ),
        (
            f"s..w@{'a' * 50}.{'b' * 50}.example.org",
            [
                (422, "416", "Invalid Email address format."),
                (422, "417", "Email is too long. It should have 100 characters or less."),
            ],
        ),
    ],
    "gender": [
        (..., [(422, "901", "gender => This field is missing.")]),
        (None, [(422, "901", "gender => This value should not be blank.")]),
        (
            "",
            [
                (422, "901", "gender => This value should not be blank."),
                (422, "901", "gender => The value you selected is not a valid choice."),
            ],
        ),
        ("female", [(422, "901", "gender => The value you selected is not a valid choice.")]),
        ({}, [(422, "901", "gender => The value you selected is not a valid choice.")]),
    ],
    "salutation": [
        (..., [(422, "901", "salutation => This field is missing.")]),
        (None, [(422, "901", "salutation => This value should not be blank.")]),
        ("n/a", [(422, "901", "salutation => The value you selected is not a valid choice.")]),
    ],
    "firstName": [
        (..., [(422, "901", "firstName => This field is missing.")]),
        (None, [(422, "901", "firstName => This value should not be blank.")]),
        ("", [(422, "901", "firstName => This value should not be blank.")]),
        (["Sonia"], [(422, "901", "firstName => This value should be of type string.")]),
        (LONG, [(422, "901", "firstName => This value is too long. It should have 100 characters or less.")]),
        ("So\nnia", [(422, "901", "firstName => This value should not contain control characters.")]),
        ("0", []),
        (" ", []),
    ],
    "lastName": [
        (..., [(422, "901", "lastName => This field is missing.")]),
        (LONG, [(422, "901", "lastName => This value is too long. It should have 100 characters or less.")]),
        ("Wag\x00ner", [(422, "901", "lastName => This value should not contain control characters.")]),
    ],
    "password": [
        (..., [(422, "901", "password => This field is missing.")]),
        (None, [(422, "901", "password => This value should not be blank.")]),
        (
            "",
            [
                (422, "901", "password => This value should not be blank."),
                (422, "901", "password => This value is too short. It should have 12 characters or more."),
            ],
        ),
        (7, [(422, "901", "password => This value should be of type string.")]),
        (
            "Ab1-",
            [(422, "901", "password => This value is too short. It should have 12 characters or more.")],
        ),
        (
            "Ab1-" * 33,
            [(422, "901", "password => This value is too long. It should have 128 characters or less.")],
        ),
        (
            "changechange123",
            [
                (
                    422,
                    "901",
                    "password => Your password must include at least one uppercase letter, one lowercase letter, "
                    "one number, and one special character from the following list: "
                    "!@#$%^&*()_-+=[]{}|;:<>.,/?\\~. Non-Latin and other special characters are not allowed.",
                )
            ],
        ),
    ],
    "confirmPassword": [
        (..., [(422, "901", "confirmPassword => This field is missing.")]),
        (
            "short",
            [(422, "901", "confirmPassword => This value is too short. It should have 12 characters or more.")],
        ),
        (
            "Change-me-124",
            [(422, "406", "Value in field password should be identical to value in the confirmPassword field.")],
        ),
    ],
    "acceptedTerms": [
        (..., [(422, "901", "acceptedTerms => This field is missing.")]),
        (None, [(400, "413", "Terms and Conditions was not accepted.")]),
        (False, [(422, "901", "acceptedTerms => This value should be true.")]),
        ("", [(422, "901", "acceptedTerms => This value should be true.")]),
        (0, [(422, "901", "acceptedTerms => This value should be true.")]),
        ("true", [(422, "901", "acceptedTerms => This value should be true.")]),
        (1, []),
        ("1", []),
    ],
    "dateOfBirth": [
        (..., []),
        (None, []),
        ("", []),
        ("1990-02-30", [(422, "901", "dateOfBirth => This value is not a valid date.")]),
        ("30.01.1990", [(422, "901", "dateOfBirth => This value is not a valid date.")]),
        (19900130, [(422, "901", "dateOfBirth => This value is not a valid date.")]),
    ],
    "idempotencyKey": [
        ("", [(422, "901", "idempotencyKey => This value is too short. It should have 16 characters or more.")]),
        (
            "k" * 256,
            [(422, "901", "idempotencyKey => This value is too long. It should have 255 characters or less.")],
        ),
    ],
}


def _with(attribute: str, value: object) -> dict[str, object]:
    changed: dict[str, object] = {**GOOD, attribute: value}
    return changed if value is not ... else {name: kept for name, kept in changed.items() if name != attribute}


def _told(violations: list[Violation]) -> list[tuple[int, str | None, str]]:
    return [(error.status, error.code, error.detail) for error in violation_errors(violations)] if violations else []


@pytest.mark.parametrize(
    ("attribute", "value", "errors"),
    [(attribute, value, errors) for attribute, rows in BROKEN.items() for value, errors in rows],
)
def test_each_broken_rule_is_told_with_the_words_of_the_contract(
    attribute: str, value: object, errors: list[tuple[int, str, str]]
) -> None:
    """Each rule of each attribute has its status, code and text (contract 3.4, 4.1, 4.3)."""
    assert _told(sign_up_violations(_with(attribute, value), STRICT)) == errors


@pytest.mark.parametrize(
    ("password", "errors"),
    [
        ("qwerty", [(400, "422", "The password is listed as common.")]),
        ("xaaay", [(400, "421", "The password contains sequence of the same character.")]),
        (
            "aaaaaaaaaaaaa",
            [
                (400, "422", "The password is listed as common."),
                (400, "421", "The password contains sequence of the same character."),
            ],
        ),
    ],
)
def test_password_policy_comes_after_the_attribute_rules(password: str, errors: list[tuple[int, str, str]]) -> None:
    """The deny list, then the sequence, are checked after the attribute rules (contract 4.3)."""
    policy = PasswordPolicy(min_length=5, repeats_rule=True, deny_list=STRICT.deny_list)
    attributes = GOOD | {"password": password, "confirmPassword": password, "email": "s..w@example.org"}
    assert _told(sign_up_violations(attributes, policy)) == errors


def test_only_the_lowest_stage_answers() -> None:
    """Only violations of the lowest stage are answered."""
    violations = [Violation("a", ViolationCode.MISSING, Stage.ATTRIBUTE)] + [
        Violation("a", code, stage) for stage, code in VIOLATIONS if stage is not Stage.ATTRIBUTE
    ]
    for stage in Stage:
        told = violation_errors([violation for violation in violations if violation.stage >= stage])
        assert [error.code for error in told] == {
            Stage.ATTRIBUTE: ["901"],
            Stage.TERMS: ["413"],
            Stage.AGREEMENT: ["406"],
            Stage.PASSWORD: ["422", "421"],
            Stage.EMAIL: ["416", "417"],
        }[stage]


def test_errors_keep_the_order_of_attributes() -> None:
    """Violations of several attributes are answered in the contract's order of attributes."""
    assert [detail.partition(" => ")[0] for _, _, detail in _told(sign_up_violations({}, STRICT))] == [
        "email",
        "gender",
        "salutation",
        "firstName",
        "lastName",
        "password",
        "confirmPassword",
        "acceptedTerms",
    ]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(["a@b.c", "a..b@c.de", "aaaaaaaaaaaaa", "x" * 300, "a\nb", *GOOD.values()]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


@given(attributes=st.fixed_dictionaries({}, optional=dict.fromkeys(BROKEN, json_values)))
def test_every_violation_that_the_rules_find_has_a_row(attributes: dict[str, object]) -> None:
    """Each violation of arbitrary JSON has a row, and its text has no gap left."""
    for policy in (PasswordPolicy(), STRICT):
        for violation in sign_up_violations(attributes, policy) + text_violations(attributes, "registrationKey"):
            (error,) = violation_errors([violation])
            assert error.status in {400, 422}
            assert "None" not in error.detail
            assert "{attribute}" not in error.detail


def test_every_violation_code_has_a_row() -> None:
    """Each code of a violation has a row."""
    assert {code for _, code in VIOLATIONS} == set(ViolationCode)


def test_violations_of_the_mutation_go_through_the_same_table() -> None:
    """A violation that GraphQL reports has the row of the lowest stage with its code."""
    reported: list[dict[str, object]] = [
        {"path": ["input", "password"], "code": "PASSWORD_COMMON", "minimum": None, "maximum": None},
        {"path": ["input", "firstName"], "code": "TOO_LONG", "minimum": None, "maximum": 100},
    ]
    assert read_violations(reported) == [
        Violation("password", ViolationCode.PASSWORD_COMMON, Stage.PASSWORD),
        Violation("firstName", ViolationCode.TOO_LONG, Stage.ATTRIBUTE, maximum=100),
    ]


def test_outcomes_are_told_with_their_facts() -> None:
    """A refusal has the row of its reason or code; a member without a row is a failure."""
    outcomes = OUTCOMES["createCustomer"]
    limited = outcomes.error({"code": "TOO_MANY_ATTEMPTS", "retryAfterSeconds": 42})
    assert limited == Error(429, "Too many attempts. Please wait 42 seconds before trying again.", "9429")
    assert outcomes.error({"code": "NEW"}) == outcomes.failure
    assert OUTCOMES["resetPassword"].error({"code": "RESET_TOKEN", "reason": "UNKNOWN"}).code == "415"


def test_the_lock_out_is_told_in_the_language_asked_for() -> None:
    """The text of a lockout has the minutes of the setting (3.2); it is German or English, in any language."""
    english = Error(
        429, "Too many log in attempts from your address. Please wait 6 minutes before trying again.", "4401"
    )
    german = Error(429, "Warten Sie bitte 6 Minuten, bevor Sie es erneut versuchen.", "4401")
    told = {language: locked_out(language, 6) for language in Language}
    assert told.pop(Language("de")) == german
    assert set(told.values()) == {english}


def test_outage_names_its_correlation_id() -> None:
    """The error of an outage has the correlation id."""
    assert unavailable("ab12").detail.endswith("(correlation id ab12)")
    assert unavailable(None).detail == "The service is not available at the moment. Please try again later."

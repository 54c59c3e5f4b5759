"""Requests about an existing account: every violation, in the contract's order, with its stage."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registration.outcomes import Stage, Violation
from registration.outcomes import ViolationCode as Code
from registration.rules.password import PasswordPolicy
from tests.registration.violations import (
    password_change_violations,
    reset_request_violations,
    reset_violations,
    update_violations,
)

POLICY = PasswordPolicy(min_length=8, deny_list=frozenset({"password"}), repeats_rule=True, character_rule=True)
LAX = PasswordPolicy()
GOOD = "brand new horse"


def stages(violations: list[Violation]) -> list[tuple[str, Code, Stage]]:
    return [(found.attribute, found.code, found.stage) for found in violations]


def codes(violations: list[Violation]) -> list[tuple[str, Code]]:
    return [(found.attribute, found.code) for found in violations]


class TestResetRequest:
    @pytest.mark.parametrize(
        "email", ["ada@example.org", "Jörg@Bücher.example.net", f"{'x' * 64}@{'y' * 60}.example.org"]
    )
    def test_addresses_pass(self, email: str) -> None:
        """An address passes, also one that is longer than a customer's can be: no answer tells which are known."""
        assert reset_request_violations({"email": email}) == []

    @pytest.mark.parametrize(
        ("raw", "expected"),
        [
            ({}, [Code.MISSING]),
            ({"email": None}, [Code.BLANK]),
            ({"email": ""}, [Code.BLANK]),
            ({"email": 5}, [Code.NOT_A_STRING]),
            ({"email": "ada"}, [Code.NOT_AN_EMAIL]),
            ({"email": "a..b@example.org"}, [Code.NOT_AN_EMAIL]),
            ({"email": f"{'x' * 300}@example.org"}, [Code.TOO_LONG]),
            ({"email": "x" * 256}, [Code.NOT_AN_EMAIL, Code.TOO_LONG]),
        ],
    )
    def test_other_values_are_reported_at_once(self, raw: Mapping[str, object], expected: list[Code]) -> None:
        """Every violation of a reset request is reported, in the one stage that the contract has here (6.1)."""
        violations = reset_request_violations(raw)
        assert stages(violations) == [("email", code, Stage.ATTRIBUTE) for code in expected]
        assert [found.maximum for found in violations if found.code is Code.TOO_LONG] in ([], [255])


class TestReset:
    def test_every_attribute_is_required(self) -> None:
        """A password reset without attributes misses the key, the password and its confirmation."""
        missing = [(name, Code.MISSING) for name in ("token", "password", "confirmPassword")]
        assert codes(reset_violations({}, POLICY)) == missing

    def test_the_key_may_have_another_name(self) -> None:
        """The key may have the name that the legacy contract gives it (6.2)."""
        raw = {"restorePasswordKey": "", "password": GOOD, "confirmPassword": GOOD}
        assert codes(reset_violations(raw, LAX, "restorePasswordKey")) == [("restorePasswordKey", Code.BLANK)]

    def test_the_new_password_keeps_the_policy(self) -> None:
        """The new password must keep the whole policy, its confirmation only the lengths."""
        raw = {"token": "x", "password": "password", "confirmPassword": "passwor"}
        assert stages(reset_violations(raw, POLICY)) == [
            ("password", Code.PASSWORD_CHARACTERS, Stage.ATTRIBUTE),
            ("password", Code.PASSWORD_COMMON, Stage.PASSWORD),
            ("confirmPassword", Code.TOO_SHORT, Stage.ATTRIBUTE),
            ("confirmPassword", Code.PASSWORDS_DIFFER, Stage.AGREEMENT),
        ]


class TestPasswordChange:
    def test_every_attribute_is_required(self) -> None:
        """A password change without attributes misses all three, in this order (contract 7)."""
        missing = [(name, Code.MISSING) for name in ("password", "newPassword", "confirmPassword")]
        assert codes(password_change_violations({}, POLICY)) == missing

    def test_the_current_password_need_not_keep_the_policy(self) -> None:
        """The current password need not keep the policy, which may be newer."""
        raw = {"password": "x", "newPassword": GOOD, "confirmPassword": GOOD}
        assert password_change_violations(raw, LAX) == []

    def test_the_new_password_keeps_the_policy(self) -> None:
        """The new password must keep the policy, and is compared with its confirmation, not with the current one."""
        raw = {"password": "Good-1234", "newPassword": "Good-1234", "confirmPassword": "Good-1235"}
        assert stages(password_change_violations(raw, POLICY)) == [
            ("confirmPassword", Code.PASSWORDS_DIFFER, Stage.AGREEMENT),
        ]
        raw = {"password": "x", "newPassword": "Abbb-111", "confirmPassword": "Abbb-111"}
        assert stages(password_change_violations(raw, POLICY)) == [
            ("newPassword", Code.PASSWORD_REPEATS, Stage.PASSWORD),
        ]


class TestUpdate:
    def test_nothing_is_required(self) -> None:
        """A change of the profile requires no attribute and ignores unknown ones."""
        assert update_violations({}, POLICY) == update_violations({"shoeSize": 5}, POLICY) == []

    @pytest.mark.parametrize("name", ["email", "gender", "salutation", "firstName", "lastName"])
    def test_a_required_attribute_cannot_be_cleared(self, name: str) -> None:
        """Null and an empty text are blank for each attribute that a customer must have."""
        assert codes(update_violations({name: None}, POLICY)) == [(name, Code.BLANK)]
        assert (name, Code.BLANK) in codes(update_violations({name: ""}, POLICY))

    def test_a_date_of_birth_can_be_cleared(self) -> None:
        """Null and an empty text clear the date of birth; any other value must be a date."""
        assert update_violations({"dateOfBirth": None}, POLICY) == update_violations({"dateOfBirth": ""}, POLICY) == []
        assert codes(update_violations({"dateOfBirth": "1990-02-30"}, POLICY)) == [("dateOfBirth", Code.NOT_A_DATE)]
        future = update_violations({"dateOfBirth": "2026-11-24"}, POLICY)
        assert codes(future) == [("dateOfBirth", Code.DATE_OUT_OF_RANGE)]

    def test_every_violation_is_reported_at_once(self) -> None:
        """Violations of all attributes are reported at once, in the contract's order (4.1)."""
        raw = {
            "lastName": "a\x00",
            "firstName": "n" * 101,
            "salutation": "Sir",
            "gender": 1,
            "email": f"{'a' * 65}@example.org",
            "dateOfBirth": "x",
        }
        assert stages(update_violations(raw, POLICY)) == [
            ("email", Code.NOT_AN_EMAIL, Stage.EMAIL),
            ("gender", Code.NOT_A_CHOICE, Stage.ATTRIBUTE),
            ("salutation", Code.NOT_A_CHOICE, Stage.ATTRIBUTE),
            ("firstName", Code.TOO_LONG, Stage.ATTRIBUTE),
            ("lastName", Code.FORBIDDEN_CHARACTER, Stage.ATTRIBUTE),
            ("dateOfBirth", Code.NOT_A_DATE, Stage.ATTRIBUTE),
        ]

    @pytest.mark.parametrize(
        ("raw", "expected"),
        [
            ({"password": None}, []),
            ({"confirmPassword": None}, []),
            ({"confirmPassword": "only this one"}, []),
            ({"password": "Good-123", "confirmPassword": "Good-123"}, []),
            ({"password": "Abbb-1234", "confirmPassword": "Abbb-1234"}, []),
            ({"password": "Good-123"}, [("confirmPassword", Code.PASSWORDS_DIFFER)]),
            ({"password": "Good-123", "confirmPassword": "Good-124"}, [("confirmPassword", Code.PASSWORDS_DIFFER)]),
            ({"password": ""}, [("password", Code.TOO_SHORT)]),
            (
                {"password": 5, "confirmPassword": 5},
                [("password", Code.NOT_A_STRING), ("confirmPassword", Code.NOT_A_STRING)],
            ),
            (
                {"password": "password", "confirmPassword": "password"},
                [("password", Code.PASSWORD_CHARACTERS)],
            ),
        ],
    )
    def test_an_unused_password_keeps_the_rules_of_attributes(
        self, raw: Mapping[str, object], expected: list[tuple[str, Code]]
    ) -> None:
        """A password that is not stored must keep the rules of attributes, not those of the policy (contract 4.5)."""
        assert codes(update_violations(raw, POLICY)) == expected

    def test_the_form_of_an_unused_password_does_not_matter(self) -> None:
        """A password that is not stored agrees with its confirmation in any form."""
        raw = {"password": "gr\u00fcn und blau", "confirmPassword": "gru\u0308n und blau"}
        assert update_violations(raw, LAX) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
NAMES = (
    *("token", "email", "gender", "salutation", "firstName", "lastName", "dateOfBirth"),
    *("password", "newPassword", "confirmPassword"),
)


@given(
    st.dictionaries(st.sampled_from(NAMES), JSON),
    st.sampled_from(
        [
            reset_request_violations,
            lambda raw: reset_violations(raw, POLICY),
            lambda raw: password_change_violations(raw, POLICY),
            lambda raw: update_violations(raw, POLICY),
        ]
    ),
)
def test_any_json_has_an_outcome(raw: dict[str, Any], judge: Callable[[dict[str, Any]], list[Violation]]) -> None:
    """No JSON raises, and each value is reported once for each rule that it breaks."""
    violations = codes(judge(raw))
    assert len(violations) == len(set(violations))

"""The strength of passwords."""

import subprocess
import sys

import pytest

from registration.outcomes import ViolationCode
from registration.rules.password import PasswordPolicy
from registration.rules.strength import MEASURED, strength
from tests.registration.forms import form
from tests.registration.violations import sign_up_violations


@pytest.mark.parametrize(
    ("password", "expected"),
    [("password", 0), ("change123", 1), ("Summer2026", 2), ("correct horse battery", 4), ("zQ8#vT2!mKx", 4)],
)
def test_it_grows_with_the_guesses_that_a_password_takes(password: str, expected: int) -> None:
    """As zxcvbn counts them."""
    assert strength(password) == expected


@pytest.mark.parametrize("password", ["a" * 1024, "\ud800" * 8, "\x00", "🙂" * 50, "1l|!7+$5%" * 100])
def test_any_password_has_one(password: str) -> None:
    """zxcvbn refuses long ones, and is slow long before that: only the first characters count."""
    assert strength(password) == strength(password[:MEASURED])
    assert strength(password) in range(5)


def test_a_policy_can_ask_for_one() -> None:
    """Of the new password; by default it asks for none."""
    weak = form(password="password1", confirmPassword="password1")
    assert sign_up_violations(weak, PasswordPolicy()) == []
    violations = sign_up_violations(weak, PasswordPolicy(min_strength=3))
    assert [(found.attribute, found.code) for found in violations] == [("password", ViolationCode.PASSWORD_WEAK)]
    assert sign_up_violations(form(), PasswordPolicy(min_strength=3)) == []


def test_it_costs_nothing_before_it_is_asked_for() -> None:
    """The word lists are read at the first use."""
    code = "import sys, registration.rules.strength; sys.exit('zxcvbn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

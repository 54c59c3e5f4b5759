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
def test_it_grows_with_the_guesses(password: str, expected: int) -> None:
    """The strength of these passwords is that of zxcvbn."""
    assert strength(password) == expected


@pytest.mark.parametrize("password", ["a" * 1024, "\ud800" * 8, "\x00", "🙂" * 50, "1l|!7+$5%" * 100])
def test_any_password_has_a_strength(password: str) -> None:
    """A password of any length and text has the strength of its first characters."""
    assert strength(password) == strength(password[:MEASURED])
    assert strength(password) in range(5)


def test_a_policy_can_demand_a_strength() -> None:
    """A policy with a least strength refuses weaker passwords; the default policy demands none."""
    weak = form(password="password1", confirmPassword="password1")
    assert sign_up_violations(weak, PasswordPolicy()) == []
    violations = sign_up_violations(weak, PasswordPolicy(min_strength=3))
    assert [(found.attribute, found.code) for found in violations] == [("password", ViolationCode.PASSWORD_WEAK)]
    assert sign_up_violations(form(), PasswordPolicy(min_strength=3)) == []


def test_word_lists_are_loaded_at_the_first_use() -> None:
    """Importing the module does not load zxcvbn and its word lists."""
    code = "import sys, registration.rules.strength; sys.exit('zxcvbn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Passwords in their prepared form: one password is one text, however a keyboard writes it."""

from collections.abc import Callable
from hashlib import sha1
from pathlib import Path
from unicodedata import is_normalized, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registration.outcomes import Violation
from registration.outcomes import ViolationCode as Code
from registration.rules.breaches import Breaches
from registration.rules.password import PasswordPolicy, forms_of, prepare
from tests.registration.forms import form
from tests.registration.violations import password_change_violations, reset_violations, sign_up_violations

DECOMPOSED = "u\u0308ber\u00a0e\u0301te\u0301"
COMPOSED = "\u00fcber \u00e9t\u00e9"


def of_sign_up(chosen: str, confirmed: str, policy: PasswordPolicy) -> list[Code]:
    return codes(sign_up_violations(form(password=chosen, confirmPassword=confirmed), policy))


def of_reset(chosen: str, confirmed: str, policy: PasswordPolicy) -> list[Code]:
    return codes(reset_violations({"token": "x", "password": chosen, "confirmPassword": confirmed}, policy))


def of_change(chosen: str, confirmed: str, policy: PasswordPolicy) -> list[Code]:
    raw = {"password": "x", "newPassword": chosen, "confirmPassword": confirmed}
    return codes(password_change_violations(raw, policy))


def codes(violations: list[Violation]) -> list[Code]:
    return [found.code for found in violations]


FORMS = pytest.mark.parametrize("check", [of_sign_up, of_reset, of_change])
Codes = Callable[[str, str, PasswordPolicy], list[Code]]


class TestPrepare:
    @pytest.mark.parametrize(
        ("typed", "prepared"),
        [
            (DECOMPOSED, COMPOSED),
            ("correct horse", "correct horse"),
            ("Stra\u00dfe", "Stra\u00dfe"),
            ("\u2126", "\u03a9"),
            ("\uff21\ufb01\u00b2", "\uff21\ufb01\u00b2"),
            ("a\u3000b\u2003c\u1680d", "a b c d"),
            (" a\t\u2028\u200b", " a\t\u2028\u200b"),
            ("\ud800u\u0308", "\ud800\u00fc"),
            ("", ""),
        ],
    )
    def test_follows_the_profile_opaque_string(self, typed: str, prepared: str) -> None:
        """Letters are composed, spaces are ASCII; case, width and compatibility forms stay (RFC 8265, 4.2)."""
        assert prepare(typed) == prepared

    @given(st.text())
    def test_prepares_any_text_once(self, typed: str) -> None:
        """A prepared password is in NFC, is prepared to itself, and is the same for the NFD form of what was typed."""
        prepared = prepare(typed)
        assert is_normalized("NFC", prepared)
        assert prepare(prepared) == prepared == prepare(normalize("NFD", typed))
        assert forms_of(typed) == ((prepared,) if prepared == typed else (prepared, typed))


@FORMS
def test_both_fields_agree_in_any_form(check: Codes) -> None:
    """The two fields of a form agree when they differ in form only."""
    assert check(COMPOSED, DECOMPOSED, PasswordPolicy()) == []
    assert check(COMPOSED, DECOMPOSED + "x", PasswordPolicy()) == [Code.PASSWORDS_DIFFER]


@FORMS
def test_lengths_are_those_of_the_prepared_form(check: Codes) -> None:
    """Lengths count the code points of the prepared form, in both fields."""
    exact = PasswordPolicy(min_length=len(COMPOSED), max_length=len(COMPOSED))
    assert check(DECOMPOSED, DECOMPOSED, exact) == []
    longer = PasswordPolicy(min_length=len(COMPOSED) + 1, max_length=len(DECOMPOSED))
    assert check(DECOMPOSED, DECOMPOSED, longer) == [Code.TOO_SHORT, Code.TOO_SHORT]


@FORMS
def test_lists_are_asked_for_the_prepared_form(check: Codes, tmp_path: Path) -> None:
    """Deny list, breach file and the rule of repeats see the prepared form."""
    assert check(DECOMPOSED, COMPOSED, PasswordPolicy(deny_list=frozenset({COMPOSED}))) == [Code.PASSWORD_COMMON]
    breached = tmp_path / "breached.txt"
    breached.write_text(sha1(COMPOSED.encode(), usedforsecurity=False).hexdigest() + "\n")
    assert check(DECOMPOSED, COMPOSED, PasswordPolicy(breaches=Breaches(breached))) == [Code.PASSWORD_BREACHED]
    repeated = "correct u\u0308\u00fcu\u0308"
    assert check(repeated, repeated, PasswordPolicy(repeats_rule=True)) == [Code.PASSWORD_REPEATS]

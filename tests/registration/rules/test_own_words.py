"""Passwords of the customer's own words and the shop's. test_change.py and test_reset.py have the other ways in."""

import pytest

from registration.outcomes import ViolationCode
from registration.rules.own_words import has_only, words_of
from registration.rules.password import PasswordPolicy
from tests.registration.forms import form
from tests.registration.violations import sign_up_violations

POLICY = PasswordPolicy(deny_list=frozenset({"password"}), shop_words=frozenset({"blumenladen"}))
COMMON = [ViolationCode.PASSWORD_COMMON]


def codes(password: str, policy: PasswordPolicy = POLICY, **person: object) -> list[ViolationCode]:
    sent = form(password=password, confirmPassword=password, **person)
    return [violation.code for violation in sign_up_violations(sent, policy)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Anna-Lena O'Brien", {"anna", "lena", "brien"}),
        ("jörg.müller1984@bücher.example", {"jorg", "muller", "bucher", "example"}),
        ("Li", set()),
        ("", set()),
        ("x" * 5000, {"x" * 128}),
    ],
)
def test_words_are_letters_without_case_and_accents(text: str, words: set[str]) -> None:
    """Words have at least three letters; digits and signs part them."""
    assert words_of(text) == words


@pytest.mark.parametrize("password", ["Beispiel1", "ada-beispiel", "ada@example.org", "BLUMENLADEN!", "AdaAda!"])
def test_own_words_alone_are_refused(password: str) -> None:
    """A password of words of the name, the address or the shop, digits and signs is refused as common."""
    assert codes(password) == COMMON


@pytest.mark.parametrize("password", ["my beispiel", "adamant 1", "1234 5678", "correct horse", "x" * 7])
def test_other_words_are_accepted(password: str) -> None:
    """A password with a letter of its own, or without any word, is accepted."""
    assert codes(password) == []


def test_accents_and_case_do_not_help() -> None:
    """Words are compared without case and accents."""
    assert codes("muller99", lastName="M\u00fcller") == COMMON
    assert codes("M\u00dcLLER99", lastName="Muller") == COMMON
    assert codes("STRASSER99", lastName="Stra\u00dfer") == COMMON


def test_a_longer_word_goes_first() -> None:
    """Of two words that begin alike the longer one is found."""
    assert has_only(frozenset({"ann", "annabel"}), "annabel1")


def test_the_sample_of_the_contract_is_accepted() -> None:
    """The published sample is no word of its customer."""
    email = "sonia@spryker.com"
    assert codes("change123", firstName="Sonia", lastName="Wagner", email=email) == []
    assert codes("spryker123", firstName="Sonia", lastName="Wagner", email=email) == COMMON


def test_is_off_with_the_deny_list() -> None:
    """Without a deny list a password may consist of own words."""
    assert codes("Beispiel1", PasswordPolicy(shop_words=frozenset({"beispiel"}))) == []


def test_a_long_password_costs_no_search() -> None:
    """A password beyond the maximum breaks that rule alone."""
    assert codes("beispiel" * 1000) == [ViolationCode.TOO_LONG] * 2

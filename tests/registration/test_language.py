"""The choice of a language, and how moments read in it."""

import re
from datetime import UTC, datetime

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from registration.language import Language, language_of, moment_in_words, negotiate

EN, DE = Language.EN, Language("de")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        *(("de", DE), ("DE-at", DE), ("de_DE", DE), ("de-Latn-DE", DE), ("en-GB", EN), ("de, en", DE), ("en, de", EN)),
        *(("fi, de;q=0.5", DE), ("de;q=0.5, en;q=0.8", EN), ("en;q=0.8, de;q=0.9", DE), ("fi", EN), ("*", EN)),
        *(("de;q=0", EN), ("de;q=0.001", DE), ("de ; q = 0.9 , en ; q=0.1", DE), ("fi, *;q=0.1, de;q=0.2", DE)),
        *(("", EN), (",,", EN), (";", EN), ("de;q=x", EN), ("de;q=", EN), ("de;q=nan", EN), ("de;q=2", EN)),
        *(("de;q=-1", EN), ("de;v=1", DE), ("deutsch", EN), ("d", EN), ("x" * 2000 + ",de", EN), ("*;q=0.5, de", DE)),
    ],
)
def test_best_known_language_wins(header: str, expected: Language) -> None:
    """The known language of the best quality, then of the first place, wins; unreadable ones are ignored."""
    assert negotiate(header) is expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        *(("de_DE", DE), ("de", DE), ("DE-at", DE), (" en_US ", EN), ("fi_FI", None), ("", None), ("*", None)),
        *(("deutsch", None), ("_de", None), ("de_DE&x", DE)),
    ],
)
def test_a_tag_names_a_language_or_none(tag: str, expected: Language | None) -> None:
    """The first part of a tag names the language; a language that is not ours is None."""
    assert language_of(tag) is expected


@given(st.text() | st.lists(st.sampled_from([*"ende-_;=q01.*, "])).map("".join))
def test_any_header_has_a_language(header: str) -> None:
    """Any header has a language, and none raises."""
    assert negotiate(header) in Language


@pytest.mark.parametrize(
    ("month", "english", "german"),
    [(3, "1 March 2026, 07:09 UTC", "1. März 2026, 07:09 UTC"), (12, "1 December 2026, 07:09 UTC", None)],
)
def test_moments_are_in_words(month: int, english: str, german: str | None) -> None:
    """A moment names its month in words, because numbers are read differently in different countries."""
    moment = datetime(2026, month, 1, 7, 9, tzinfo=UTC)
    assert moment_in_words(moment, EN) == english
    assert moment_in_words(moment, DE) == (german or "1. Dezember 2026, 07:09 UTC")


@pytest.mark.parametrize("language", Language)
def test_every_language_has_a_locale(language: Language) -> None:
    """Every language has a locale of the wire contract's form."""
    assert re.fullmatch(rf"{language}_[A-Z]{{2}}", language.locale)


@pytest.mark.parametrize("language", Language)
def test_every_language_has_a_direction_and_a_name_of_its_own(language: Language) -> None:
    """Arabic runs from right to left; languages are called as they call themselves (CLDR)."""
    assert language.direction == ("rtl" if language == "ar" else "ltr")
    assert language.own_name == str(Locale.parse(language).language_name).capitalize()

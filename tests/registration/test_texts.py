"""The catalogues: complete in every language, and with the same places for values."""

import re
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po

from registration.language import CATALOGUES, SOURCE, Language
from registration.texts import Text, translations

ROOT = Path(__file__).parent.parent.parent
MARKS: dict[str, tuple[int, ...] | None] = {"Text": None, "_": None, "ngettext": (1, 2)}
"""What marks a text for translation, as Babel wants it: which arguments are texts."""
TRANSLATED = [Language(path.stem) for path in sorted(CATALOGUES.glob("*.po"))]

Key = tuple[str, ...] | str


@cache
def in_the_code() -> frozenset[Key]:
    return frozenset(_extracted())


def _extracted() -> Iterator[Key]:
    for path in (path for room in ("registration", "graphql_api") for path in (ROOT / room).rglob("*")):
        method = "python" if path.suffix == ".py" else "jinja2" if path.parent.name == "templates" else None
        if method:
            for _, text, _, _ in extract(method, BytesIO(path.read_bytes()), MARKS):
                yield text


def catalogue(language: Language) -> Catalog:
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        return read_po(file, abort_invalid=True)


def forms_of(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or [""])


def places(text: str) -> set[str]:
    """The places for values in a text."""
    return set(re.findall(r"%\(\w+\)s|%(?!\()|[{}<>]", text))


def test_languages_are_those_of_the_catalogues() -> None:
    """A catalogue makes a language: twelve, with English, which needs none."""
    assert {*TRANSLATED, Language(SOURCE)} == set(Language)
    assert len(Language) >= 12


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated(language: Language) -> None:
    """No text of the code lacks a translation, none is marked as fuzzy, and no translation lacks its text."""
    messages = [message for message in catalogue(language) if message.id]
    assert {message.id for message in messages} == in_the_code()
    assert [message.id for message in messages if message.fuzzy] == []
    assert [message.id for message in messages if not all(forms_of(message))] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_have_the_places_of_their_texts(language: Language) -> None:
    """Each value of a text stands in its translation, and no other; a form for one may leave out the number."""
    for message in (message for message in catalogue(language) if message.id):
        forms = [places(form) for form in forms_of(message)]
        if isinstance(message.id, str):
            assert forms == [places(message.id)], message.id
        else:
            singular, plural = map(places, message.id)
            assert len(forms) == catalogue(language).num_plurals
            assert all(form in (singular, plural) for form in forms), message.id
            assert forms[-1] == plural


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_differ_from_english(language: Language) -> None:
    """A sentence that was forgotten in English is found: only short words may be alike."""
    alike = [message.id for message in catalogue(language) if message.id and message.string == message.id]
    assert all(len(text) < 10 for text in alike), alike


def test_a_text_is_told_in_a_language() -> None:
    """A text is English by itself, and translated where there is a catalogue."""
    assert Text("Done.")[Language.EN] == "Done."
    assert Text("Done.")[Language("de")] == "Erledigt."


def test_numbers_have_their_forms() -> None:
    """Polish tells 1, 2 and 5 minutes in three forms."""
    forms = [translations(Language("pl")).ngettext(*_MINUTES, number) for number in (1, 2, 5)]
    assert len(set(forms)) == 3


_MINUTES = ("Please try again in a minute.", "Please try again in %(num)s minutes.")

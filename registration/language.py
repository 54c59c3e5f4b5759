"""The languages of mails, pages and messages, and the choice of one for a client."""

import re
from datetime import date, datetime
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from babel import Locale
from babel.dates import format_date

CATALOGUES = Path(__file__).with_name("catalogues")
"""One gettext catalogue for each language but that of the texts in the code."""

SOURCE = "en"
OF_SOURCE = {"Language": "en_US", "X-Own-Name": "English"}

LOCALE = "_locale"
"""The parameter of links and forms that names the language; without it a page goes by Accept-Language."""


class Language(StrEnum):
    """A language of mails, pages and messages: English, the default, and each that has a catalogue."""

    _ignore_ = "_path"
    EN = "en"
    for _path in sorted(CATALOGUES.glob("*.po")):
        vars()[_path.stem.upper()] = _path.stem

    @property
    def locale(self) -> str:
        """The form `xx_YY` of the legacy wire contract, which the head of the catalogue tells."""
        return _head(self, "Language")

    @property
    def direction(self) -> str:
        """`ltr`, or `rtl` for a script that runs from right to left."""
        return _direction(self)

    @property
    def own_name(self) -> str:
        """What the language calls itself; the catalogue tells it, because Babel loads a MiB for each language."""
        return _head(self, "X-Own-Name")


@cache
def _head(language: Language, field: str) -> str:
    """A field in the head of a catalogue; English has none."""
    if language.value == SOURCE:
        return OF_SOURCE[field]
    found = re.search(rf'^"{field}: (.+)\\n"$', (CATALOGUES / f"{language}.po").read_text("utf-8"), re.MULTILINE)
    assert found, f"the head of {language}.po has no {field}"
    return found[1]


@cache
def _direction(language: Language) -> str:
    return Locale.parse(language.locale).text_direction


def moment_in_words(instant: datetime, language: Language) -> str:
    """A moment as mails and pages show it, in UTC, because the reader's time zone is not known."""
    return f"{_day_in_words(instant.date(), language)}, {instant:%H:%M} UTC"


@lru_cache(maxsize=256)  # mails name the same few days
def _day_in_words(day: date, language: Language) -> str:
    locale = "en_GB" if language.value == SOURCE else language.value  # the day first, as in other languages
    return format_date(day, "long", locale)


def in_language(url: str, language: Language) -> str:
    """The address of a page of the shop that is to speak a language; empty if empty."""
    if not url:
        return ""
    parts = urlsplit(url)
    return parts._replace(query="&".join(filter(None, (parts.query, f"{LOCALE}={language.locale}")))).geturl()


def language_of(tag: str) -> Language | None:
    """The language of a tag such as `de`, `de_DE` or `de-AT`; None for any other language."""
    primary = tag.strip().lower().replace("_", "-").split("-")[0]
    return Language(primary) if primary in set(Language) else None


def negotiate(accept_language: str) -> Language:
    """Choose by the Accept-Language header (RFC 9110, 12.5.4); what cannot be read counts as absent."""
    return _negotiate(accept_language[:1000])


@lru_cache(maxsize=256)  # clients are many, their headers few
def _negotiate(accept_language: str) -> Language:
    wishes = sorted(filter(None, map(_wish, accept_language.split(","))), key=lambda wish: -wish[0])
    return next((language for quality, language in wishes if quality > 0), Language.EN)


def _wish(item: str) -> tuple[float, Language] | None:
    tag, _, parameter = item.strip().partition(";")
    language = Language.EN if tag.strip() == "*" else language_of(tag)
    return None if language is None else (_quality(parameter), language)


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0

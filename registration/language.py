"""The languages of mails, pages and messages, and the choice of one for a client."""

from datetime import datetime
from enum import StrEnum
from functools import lru_cache


class Language(StrEnum):
    """A language of mails, pages and messages; the first one is the default."""

    EN = "en"
    DE = "de"

    @property
    def locale(self) -> str:
        """The form `xx_YY` of the legacy wire contract."""
        return {Language.EN: "en_US", Language.DE: "de_DE"}[self]


MONTHS = {
    Language.EN: (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    Language.DE: (
        *("Januar", "Februar", "März", "April", "Mai", "Juni"),
        *("Juli", "August", "September", "Oktober", "November", "Dezember"),
    ),
}


def moment_in_words(instant: datetime, language: Language) -> str:
    """A moment as mails and pages show it, in UTC, because the reader's time zone is not known."""
    month = MONTHS[language][instant.month - 1]
    if language is Language.DE:
        return f"{instant.day}. {month} {instant:%Y, %H:%M} Uhr (UTC)"
    return f"{instant.day} {month} {instant:%Y, %H:%M} UTC"


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

"""Texts for people: English in the code, translated by the catalogues."""

from dataclasses import dataclass
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO

from registration.language import CATALOGUES, SOURCE, Language


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence that the catalogues translate: `Text("Done.")[language]`; values stand in it as %(name)s."""

    english: str

    def __getitem__(self, language: Language) -> str:
        return translations(language).gettext(self.english)


@cache
def translations(language: Language) -> NullTranslations:
    """The translations of a language, read once from its catalogue; empty for English."""
    if language.value == SOURCE:
        return NullTranslations()
    # Only here: a process that speaks English only need not load it.
    from babel.messages.mofile import write_mo  # noqa: PLC0415
    from babel.messages.pofile import read_po  # noqa: PLC0415

    compiled = BytesIO()
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    return GNUTranslations(compiled)

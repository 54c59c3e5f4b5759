"""Texts for people: English in the code, translated by the catalogues."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from registration.language import CATALOGUES, SOURCE, Language


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence that the catalogues translate: `Text("Done.")[language]`; values stand in it as %(name)s."""

    english: str

    def __getitem__(self, language: Language) -> str:
        return translations(language).gettext(self.english)


@cache
def translations(language: Language) -> NullTranslations:
    """Those of a language, read once from its catalogue; English needs none."""
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


def templates(directory: Path, *, escape: bool = True) -> Environment:
    """The templates of a directory, in which `_` translates to `language`; `escape` is for HTML."""
    environment = Environment(
        loader=FileSystemLoader(directory),
        autoescape=escape,  # noqa: S701 - off for plain text only
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    install: Callable[..., None] = environment.install_gettext_callables  # type: ignore[attr-defined]
    install(_gettext, _ngettext, newstyle=True)
    return environment


@pass_context
def _gettext(context: Context, text: str) -> str:
    return translations(context["language"]).gettext(text)


@pass_context
def _ngettext(context: Context, singular: str, plural: str, number: int) -> str:
    return translations(context["language"]).ngettext(singular, plural, number)

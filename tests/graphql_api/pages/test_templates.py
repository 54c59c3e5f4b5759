"""The templates of pages, in each language."""

import re
from pathlib import Path

import pytest

from graphql_api import pages
from registration.language import Language

TEMPLATES = Path(pages.__path__[0]) / "templates"
NAMES = sorted(path.name.removesuffix(".en.html") for path in TEMPLATES.glob("*.en.html"))


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", NAMES)
def test_every_page_exists_in_every_language(name: str, language: Language) -> None:
    """A page has the same states, forms and values in each language."""
    assert _parts(name, language) == _parts(name, Language.EN)


def _parts(name: str, language: Language) -> list[str]:
    text = (TEMPLATES / f"{name}.{language}.html").read_text("utf-8").replace(f".{language}.html", "")
    return re.findall(r"{% (?!block title).*? %}|{{.*?}}|<(?:form|input|button)[^>]*>", text)

"""How a process reads settings from its environment, and how it shows them."""

import os
from typing import TypeVar

from pydantic import ValidationError

from registration.settings import PREFIX, Settings, masked

AnySettings = TypeVar("AnySettings", bound=Settings)


class SettingsError(Exception):
    """A setting that stops the start; the text is one line and names the variable."""


def read_settings(kind: type[AnySettings]) -> AnySettings:
    """Read the environment; a wrong value raises SettingsError with one line that names the variable."""
    try:
        settings = kind()
    except ValidationError as error:
        raise SettingsError("; ".join(_line(dict(problem)) for problem in error.errors())) from None
    names = {PREFIX + name.upper() for name in kind.model_fields}
    settings._unknown = tuple(sorted(name for name in os.environ if name.startswith(PREFIX) and name not in names))
    return settings


def _line(problem: dict[str, object]) -> str:
    where = problem["loc"]
    text = str(problem["msg"]).removeprefix("Value error, ")
    assert isinstance(where, tuple)
    return f"{PREFIX}{str(where[0]).upper()} {text}" if where else text


def describe(settings: Settings) -> list[tuple[str, str, str, str]]:
    """Every variable with its value, its default and its meaning; passwords in addresses are masked."""
    return [
        (PREFIX + name.upper(), masked(str(getattr(settings, name))), str(field.default), field.description or "")
        for name, field in type(settings).model_fields.items()
    ]

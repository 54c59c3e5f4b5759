"""The rules of single attributes: a raw value in, its violations out; they are shared by all forms."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from enum import Enum, StrEnum
from typing import Final
from unicodedata import category

from registration.outcomes import Stage, Violation, ViolationCode
from registration.rules.address import MAX_LENGTH as EMAIL_MAX_LENGTH
from registration.rules.address import address_key, has_shape

NAME_MAX_LENGTH = 100


class Absent(Enum):
    """The value of an attribute that was not sent."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
Rule = Callable[[str, object], Iterator[Violation]]


def email_violations(raw: Mapping[str, object], attribute: str = "email") -> list[Violation]:
    """The violations of a request that names only an address."""
    return list(of_attribute(attribute, raw.get(attribute, ABSENT), email_rule))


def text_violations(raw: Mapping[str, object], attribute: str) -> list[Violation]:
    """The violations of a request that names only a text, a key for example."""
    return list(of_attribute(attribute, raw.get(attribute, ABSENT), text_rule))


def is_true(value: object) -> bool:
    """Whether a JSON value counts as true: `true`, `1` and `"1"` do (contract 3.4)."""
    return value is True or value == "1" or (value == 1 and isinstance(value, int))


def as_date(value: object) -> date | None:
    """A calendar date written YYYY-MM-DD, else None."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def has_control_character(text: str) -> bool:
    """Whether a text holds what no name holds: controls, line and paragraph separators, lone surrogates."""
    return not text.isprintable() and any(category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in text)


def of_attribute(name: str, value: object, rule: Rule) -> Iterator[Violation]:
    if value is ABSENT:
        yield Violation(name, ViolationCode.MISSING)
    else:
        yield from rule(name, value)


def _blank(name: str, value: object) -> Iterator[Violation]:
    # The contract counts these as blank, "0" and " " not.
    if value is None or value is False or value in ("", []):
        yield Violation(name, ViolationCode.BLANK)


def _type(name: str, value: object) -> Iterator[Violation]:
    if not isinstance(value, str) and not any(_blank(name, value)):
        yield Violation(name, ViolationCode.NOT_A_STRING)


def text_rule(name: str, value: object) -> Iterator[Violation]:
    yield from _blank(name, value)
    yield from _type(name, value)


def email_rule(name: str, value: object) -> Iterator[Violation]:
    yield from text_rule(name, value)
    if not isinstance(value, str) or not value:
        return
    if not has_shape(value):
        yield Violation(name, ViolationCode.NOT_AN_EMAIL)
    elif address_key(value) is None:
        yield Violation(name, ViolationCode.NOT_AN_EMAIL, Stage.EMAIL)
    if len(value) > EMAIL_MAX_LENGTH:
        yield Violation(name, ViolationCode.TOO_LONG, Stage.EMAIL, maximum=EMAIL_MAX_LENGTH)


def choice_of(choices: type[StrEnum]) -> Rule:
    known = list(choices)

    def choice(name: str, value: object) -> Iterator[Violation]:
        yield from _blank(name, value)
        if value is not None and value not in known:
            yield Violation(name, ViolationCode.NOT_A_CHOICE)

    return choice


def name_rule(name: str, value: object) -> Iterator[Violation]:
    yield from text_rule(name, value)
    if not isinstance(value, str):
        return
    if len(value) > NAME_MAX_LENGTH:
        yield Violation(name, ViolationCode.TOO_LONG, maximum=NAME_MAX_LENGTH)
    if has_control_character(value):
        yield Violation(name, ViolationCode.FORBIDDEN_CHARACTER)


def date_rule(name: str, value: object) -> Iterator[Violation]:
    if value not in (None, "") and as_date(value) is None:
        yield Violation(name, ViolationCode.NOT_A_DATE)

"""Forms: raw attributes are read one by one into typed values, and every rule that they break is collected.

A value that breaks a rule is read as a placeholder of its type: the values of a form with violations are not used.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import Enum, StrEnum
from typing import Final, TypeVar
from unicodedata import category

from registration.outcomes import Stage, Violation, ViolationCode
from registration.rules.address import MAX_LENGTH as EMAIL_MAX_LENGTH
from registration.rules.address import NO_EMAIL, EmailAddress, has_shape, is_deliverable, read_email

Choice = TypeVar("Choice", bound=StrEnum)
Parsed = TypeVar("Parsed")


class Absent(Enum):
    """The value of an attribute that was not sent."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


class Form:
    """Attributes by their public names, as they came from JSON or already typed (choices, dates).

    An attribute that was not sent is absent from the mapping; null is None. Unknown attributes are ignored. `today` is
    needed only where a date of birth is read.
    """

    def __init__(self, raw: Mapping[str, object], today: date = date.max) -> None:
        self.raw = raw
        self.today = today
        self.violations: list[Violation] = []

    def read_as(self, parsed: Parsed) -> Parsed | list[Violation]:
        """`parsed`, or every violation, in the order in which the attributes were read."""
        return self.violations or parsed

    def refuse(
        self,
        name: str,
        code: ViolationCode,
        stage: Stage = Stage.ATTRIBUTE,
        minimum: int | None = None,
        maximum: int | None = None,
    ) -> None:
        self.violations.append(Violation(name, code, stage, minimum, maximum))

    def text(self, name: str) -> str:
        """Read a text that is not empty."""
        value = self.raw.get(name, ABSENT)
        if isinstance(value, str) and value:
            return value
        if self._is_there(name, value):
            self.refuse(name, ViolationCode.NOT_A_STRING)
        return ""

    def line(self, name: str, maximum: int) -> str:
        """A text that is not empty, without control characters, of at most `maximum` characters."""
        value = self.text(name)
        if len(value) > maximum:
            self.refuse(name, ViolationCode.TOO_LONG, maximum=maximum)
        if has_control_character(value):
            self.refuse(name, ViolationCode.FORBIDDEN_CHARACTER)
        return value

    def email(self, name: str) -> EmailAddress:
        """Read an address that a customer can have."""
        value = self.text(name)
        address = read_email(value) if value else NO_EMAIL
        if address is None:
            stage = Stage.EMAIL if has_shape(value) else Stage.ATTRIBUTE
            self.refuse(name, ViolationCode.NOT_AN_EMAIL, stage)
        if len(value) > EMAIL_MAX_LENGTH:
            self.refuse(name, ViolationCode.TOO_LONG, Stage.EMAIL, maximum=EMAIL_MAX_LENGTH)
        elif address and not is_deliverable(address):
            self.refuse(name, ViolationCode.NOT_AN_EMAIL, Stage.EMAIL)
        return address or NO_EMAIL

    def choice(self, name: str, choices: Iterable[Choice]) -> Choice:
        """Read one of a few values, written exactly so."""
        value = self.raw.get(name, ABSENT)
        for choice in choices:
            if choice == value:
                return choice
        # A blank value is reported as no choice, too; null as blank only.
        if self._is_there(name, value) or not (value is ABSENT or value is None):
            self.refuse(name, ViolationCode.NOT_A_CHOICE)
        return next(iter(choices))

    def date(self, name: str, earliest: date = date.min, latest: date = date.max) -> date:
        """A calendar date within bounds."""
        value = self.raw.get(name, ABSENT)
        day = value if isinstance(value, date) else as_date(value)
        if value is ABSENT or value is None or value == "":
            self._is_there(name, value)
        elif day is None:
            self.refuse(name, ViolationCode.NOT_A_DATE)
        elif not earliest <= day <= latest:
            self.refuse(name, ViolationCode.DATE_OUT_OF_RANGE)
        return day or date.min

    def consent(self, name: str) -> None:
        """Check something that must be true."""
        value = self.raw.get(name, ABSENT)
        if value is ABSENT:
            self.refuse(name, ViolationCode.MISSING)
        elif value is None:
            self.refuse(name, ViolationCode.NOT_TRUE, Stage.TERMS)
        elif not is_true(value):
            self.refuse(name, ViolationCode.NOT_TRUE)

    def optional_text(self, name: str, minimum: int, maximum: int) -> str | None:
        """Read a text of a length within bounds; None for any other value."""
        value = self.raw.get(name)
        if not isinstance(value, str):
            return None
        self.length(name, value, minimum, maximum)
        return value

    def length(self, name: str, value: str, minimum: int, maximum: int) -> None:
        if len(value) < minimum:
            self.refuse(name, ViolationCode.TOO_SHORT, minimum=minimum)
        if len(value) > maximum:
            self.refuse(name, ViolationCode.TOO_LONG, maximum=maximum)

    def _is_there(self, name: str, value: object) -> bool:
        """Whether a value is neither missing nor blank; if it is, that is a violation."""
        if value is ABSENT:
            self.refuse(name, ViolationCode.MISSING)
        elif value is None or value is False or value in ("", []):  # as the contract counts; "0" and " " are not blank
            self.refuse(name, ViolationCode.BLANK)
        else:
            return True
        return False


def violations_of(read: object) -> Sequence[Violation]:
    """The violations that a `read_` function returned; none when it returned what it read."""
    return read if isinstance(read, list) else ()


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
    """Whether a text holds what no name may hold: controls, line and paragraph separators, lone surrogates."""
    return not text.isprintable() and any(category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in text)

"""The rules of personal attributes, for sign-up and profile alike: one row for each attribute."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from registration.customer import Gender, Salutation
from registration.language import Language
from registration.rules.form import Form

NAME_MAX_LENGTH = 100
MAX_AGE = 130  # years; the oldest person known became 122

Reader = Callable[[Form, str], Any]


def line(maximum: int) -> Reader:
    """Reads a text without control characters, of at most `maximum` characters."""
    return lambda form, name: form.line(name, maximum)


def birth_date(form: Form, name: str) -> date:
    """Reads the date of birth of a person who can be alive today."""
    return form.date(name, earliest=date(form.today.year - MAX_AGE, 1, 1), latest=form.today)


def mail_language(form: Form, name: str) -> Language:
    """Reads a language of mails."""
    return form.choice(name, Language)


def optional(read: Reader) -> Reader:
    """Reads an attribute that need not be sent: None when it is absent, null or an empty text."""
    return lambda form, name: None if form.raw.get(name) in (None, "") else read(form, name)


REQUIRED: Mapping[str, tuple[str, Reader]] = {
    "gender": ("gender", lambda form, name: form.choice(name, Gender)),
    "salutation": ("salutation", lambda form, name: form.choice(name, Salutation)),
    "firstName": ("first_name", line(NAME_MAX_LENGTH)),
    "lastName": ("last_name", line(NAME_MAX_LENGTH)),
}
"""By the public name of an attribute, in the contract's order: the field of `Person`, and how it is read."""

OPTIONAL: Mapping[str, tuple[str, Reader]] = {
    "dateOfBirth": ("date_of_birth", optional(birth_date)),
}
"""The same, for attributes that need not be sent; they are read after all others."""


def read_person(form: Form, attributes: Mapping[str, tuple[str, Reader]]) -> dict[str, Any]:
    """Read these attributes; returns their values by the fields of `Person`."""
    return {field: read(form, name) for name, (field, read) in attributes.items()}


def read_sent(form: Form, attributes: Mapping[str, tuple[str, Reader]]) -> dict[str, Any]:
    """As `read_person`, but only those attributes that were sent."""
    return read_person(form, {name: row for name, row in attributes.items() if name in form.raw})

"""The rules of personal attributes, for sign-up and profile alike: one row for each attribute."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from registration.customer import Gender, Salutation
from registration.language import Language
from registration.rules.form import Form

NAME_MAX_LENGTH = 100
MAX_AGE = 130  # years; the oldest person known became 122


@dataclass(frozen=True, slots=True)
class PersonPolicy:
    """What a customer must tell, by the public names of attributes, and between which genders there is to choose.

    The defaults are those of the legacy contract (3.2).
    """

    required: frozenset[str] = frozenset({"gender", "salutation", "firstName", "lastName"})
    genders: tuple[Gender, ...] = (Gender.FEMALE, Gender.MALE)


LEGACY = PersonPolicy()

Reader = Callable[[Form, str, PersonPolicy], Any]


def line(maximum: int) -> Reader:
    """Reads a text without control characters, of at most `maximum` characters."""
    return lambda form, name, _policy: form.line(name, maximum)


def earliest_birth(today: date) -> date:
    """The earliest date of birth of a person who can be alive today."""
    return date(today.year - MAX_AGE, 1, 1)


def birth_date(form: Form, name: str, _policy: PersonPolicy) -> date:
    """Reads the date of birth of a person who can be alive today."""
    return form.date(name, earliest=earliest_birth(form.today), latest=form.today)


def mail_language(form: Form, name: str) -> Language:
    """Reads a language of mails."""
    return form.choice(name, Language)


def is_not_given(form: Form, name: str) -> bool:
    """Whether an attribute is absent, null or an empty text."""
    return form.raw.get(name) in (None, "")


BEFORE_PASSWORD: Mapping[str, tuple[str, Reader]] = {
    "gender": ("gender", lambda form, name, policy: form.choice(name, policy.genders)),
    "salutation": ("salutation", lambda form, name, _policy: form.choice(name, Salutation)),
    "firstName": ("first_name", line(NAME_MAX_LENGTH)),
    "lastName": ("last_name", line(NAME_MAX_LENGTH)),
}
"""By the public name of an attribute, in the contract's order: the field of `Person`, and how it is read."""

AFTER_PASSWORD: Mapping[str, tuple[str, Reader]] = {
    "dateOfBirth": ("date_of_birth", birth_date),
}
"""The same, for attributes that are read after the passwords."""

ATTRIBUTES = (*BEFORE_PASSWORD, *AFTER_PASSWORD)
"""The public names of all of them."""


def read_person(form: Form, attributes: Mapping[str, tuple[str, Reader]], policy: PersonPolicy) -> dict[str, Any]:
    """Read these attributes; returns their values by the fields of `Person`.

    What is not required and not given is read as None.
    """
    return {
        field: None if name not in policy.required and is_not_given(form, name) else read(form, name, policy)
        for name, (field, read) in attributes.items()
    }


def read_sent(form: Form, attributes: Mapping[str, tuple[str, Reader]], policy: PersonPolicy) -> dict[str, Any]:
    """As `read_person`, but only those attributes that were sent."""
    return read_person(form, {name: row for name, row in attributes.items() if name in form.raw}, policy)

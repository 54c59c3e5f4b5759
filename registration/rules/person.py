"""The rules of personal attributes, for sign-up and profile alike: one row for each attribute."""

from collections.abc import Callable, Mapping
from typing import Any

from registration.customer import Gender, Salutation
from registration.rules.form import Form

Reader = Callable[[Form, str], Any]

REQUIRED: Mapping[str, tuple[str, Reader]] = {
    "gender": ("gender", lambda form, name: form.choice(name, Gender)),
    "salutation": ("salutation", lambda form, name: form.choice(name, Salutation)),
    "firstName": ("first_name", Form.name),
    "lastName": ("last_name", Form.name),
}
"""By the public name of an attribute, in the contract's order: the field of `Person`, and how it is read."""

OPTIONAL: Mapping[str, tuple[str, Reader]] = {
    "dateOfBirth": ("date_of_birth", Form.birth_date),
}
"""The same, for attributes that need not be sent; they are read after all others."""


def read_person(form: Form, attributes: Mapping[str, tuple[str, Reader]]) -> dict[str, Any]:
    """Read these attributes; returns their values by the fields of `Person`."""
    return {field: read(form, name) for name, (field, read) in attributes.items()}


def read_sent(form: Form, attributes: Mapping[str, tuple[str, Reader]]) -> dict[str, Any]:
    """As `read_person`, but only those attributes that were sent."""
    return read_person(form, {name: row for name, row in attributes.items() if name in form.raw})

"""FormField: what a sign-up form needs to know of one of its fields."""

from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any

import strawberry

from graphql_api.engine.costs import items
from registration.customer import Gender, Salutation
from registration.language import Language
from registration.rules import address
from registration.rules.person import ATTRIBUTES, NAME_MAX_LENGTH, earliest_birth
from registration.services import Services
from registration.texts import Text

LABELS: Mapping[StrEnum, Text] = {
    Salutation.MR: Text("Mr"),
    Salutation.MRS: Text("Mrs"),
    Salutation.MS: Text("Ms"),
    Salutation.DR: Text("Dr"),
    Gender.FEMALE: Text("Female"),
    Gender.MALE: Text("Male"),
    Gender.OTHER: Text("Other"),
}
"""The choices of a form."""


@strawberry.type(description="One of the values that a field can have.")
class Choice:
    value: str = strawberry.field(description="The name of the enum value, for the input.")
    label: str = strawberry.field(description="For people, in the language that was asked for.")


@strawberry.type(description="A field of the form. A limit is null where there is none; lengths are in characters.")
class FormField:
    name: str = strawberry.field(description="The name of the field in CreateCustomerInput.")
    required: bool = strawberry.field(description="Whether it must be sent.")
    min_length: int | None = strawberry.field(description="The least number of characters.", default=None)
    max_length: int | None = strawberry.field(description="The largest number of characters.", default=None)
    earliest: date | None = strawberry.field(description="The earliest date.", default=None)
    latest: date | None = strawberry.field(description="The latest date: today, in UTC.", default=None)
    choices: list[Choice] | None = strawberry.field(
        description="The values to choose from; null where any may be sent.", default=None, metadata=items(2)
    )


def form_fields(services: Services, language: Language) -> list[FormField]:
    """The fields of a form in this order; a test holds that none of the input is missing."""
    required, policy, today = services.of_person.required, services.policy, services.clock().date()
    name: dict[str, Any] = {"min_length": 1, "max_length": NAME_MAX_LENGTH}
    limits: dict[str, dict[str, Any]] = {
        "salutation": {"choices": _choices(Salutation, language)},
        "firstName": name,
        "lastName": name,
        "gender": {"choices": _choices(services.of_person.genders, language)},
        "dateOfBirth": {"earliest": earliest_birth(today), "latest": today},
        "email": {"min_length": 1, "max_length": address.MAX_LENGTH},
        "password": {"min_length": policy.min_length, "max_length": policy.max_length},
        "confirmPassword": {"min_length": policy.min_length, "max_length": policy.max_length},
        "acceptedTerms": {},
        "language": {"choices": [Choice(value=each.name, label=each.own_name) for each in Language]},
    }
    optional = {*ATTRIBUTES, "language"} - required
    return [FormField(name=each, required=each not in optional, **limit) for each, limit in limits.items()]


def _choices(values: Iterable[StrEnum], language: Language) -> list[Choice]:
    return [Choice(value=value.name, label=LABELS[value][language]) for value in values]

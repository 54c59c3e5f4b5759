"""The customer as the rest of the program uses it, without the password hash."""

from dataclasses import dataclass, field, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from registration.language import Language


class Salutation(StrEnum):
    """How a person is addressed; the values are those of the legacy wire contract."""

    MR = "Mr"
    MRS = "Mrs"
    MS = "Ms"
    DR = "Dr"


class Gender(StrEnum):
    """The values are those of the legacy wire contract."""

    FEMALE = "Female"
    MALE = "Male"
    OTHER = "Other"
    """Not of the contract: a choice only where GATEWAY_GENDER_OTHER is on."""


@dataclass(frozen=True, slots=True)
class Person:
    """The personal data of a customer, but for the address; each field is a personal column of the table `customer`.

    None is what the customer did not tell.
    """

    salutation: Salutation | None = field(repr=False)
    first_name: str | None = field(repr=False)
    last_name: str | None = field(repr=False)
    gender: Gender | None = field(repr=False)
    date_of_birth: date | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Customer(Person):
    """A customer that is not erased; `email` is as typed, instants are UTC."""

    id: UUID
    reference: str
    email: str = field(repr=False)
    language: Language
    created_at: datetime
    updated_at: datetime
    confirmed_at: datetime | None


FIELDS = tuple(each.name for each in fields(Customer))


def personal_data(person: Person) -> dict[str, Any]:
    """The fields of `Person` alone."""
    return {each.name: getattr(person, each.name) for each in fields(Person)}


def customer_of(row: Row[tuple[object, ...]]) -> Customer:
    """Read a full row of the customer table."""
    values = row._mapping
    return Customer(**{name: values[name] for name in FIELDS})


def row_of(customer: Customer) -> dict[str, object]:
    """The values of a customer by column of the table `customer`, which has more (the password hash)."""
    return {each.name: getattr(customer, each.name) for each in fields(customer)}

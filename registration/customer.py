"""The customer as the rest of the program sees one; it never carries a password or its hash."""

from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
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


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer who has not been erased; `email` is as typed, instants are UTC."""

    id: UUID
    reference: str
    email: str
    salutation: Salutation
    first_name: str
    last_name: str
    gender: Gender
    date_of_birth: date | None
    language: Language
    created_at: datetime
    updated_at: datetime
    confirmed_at: datetime | None


def customer_of(row: Row[tuple[object, ...]]) -> Customer:
    """Read a full row of the customer table."""
    return Customer(
        id=row.id,
        reference=row.reference,
        email=row.email,
        salutation=Salutation(row.salutation),
        first_name=row.first_name,
        last_name=row.last_name,
        gender=Gender(row.gender),
        date_of_birth=row.date_of_birth,
        language=Language(row.language),
        created_at=row.created_at,
        updated_at=row.updated_at,
        confirmed_at=row.confirmed_at,
    )


def row_of(customer: Customer) -> dict[str, object]:
    """The columns that a customer fills; the table has more (the password hash)."""
    return {field.name: getattr(customer, field.name) for field in fields(customer)}

"""The types Customer and PendingConfirmation; without passwords, their hashes and keys."""

from dataclasses import fields
from datetime import date, datetime

import strawberry

from graphql_api.types.domain_enum import domain_enum
from registration import customer as domain
from registration.language import Language

domain_enum(
    domain.Salutation,
    "How a person is addressed.",
    {salutation.name: f"`{salutation.value}` in the JSON:API door." for salutation in domain.Salutation},
)
domain_enum(
    domain.Gender,
    "The gender a customer gave.",
    {gender.name: f"`{gender.value}` in the JSON:API door." for gender in domain.Gender}
    | {domain.Gender.OTHER.name: "A choice only where registrationPolicy has it; `Other` in the JSON:API door."},
)

domain_enum(
    Language,
    "A language of mails, pages and messages.",
    {each.name: f"{each.own_name}." for each in Language},
)


@strawberry.interface(description="An object that `node` finds by its id.")
class Node:
    id: strawberry.ID = strawberry.field(description="A random UUID; treat it as opaque.")


@strawberry.type(description="A registered customer.")
class Customer(Node):
    reference: str = strawberry.field(description="The number people read out, unique, for example DE--25.")
    email: str = strawberry.field(description="The address as it was typed at sign-up.")
    salutation: domain.Salutation | None = strawberry.field(
        description="How to address the customer; null when not given."
    )
    first_name: str | None = strawberry.field(description="The given name; null when not given.")
    last_name: str | None = strawberry.field(description="The family name; null when not given.")
    gender: domain.Gender | None = strawberry.field(description="Null when not given.")
    date_of_birth: date | None = strawberry.field(description="Null when not given.")
    language: Language = strawberry.field(description="The language of mails to the customer.")
    created_at: datetime = strawberry.field(description="When the customer signed up (UTC).")
    updated_at: datetime = strawberry.field(description="When the customer last changed (UTC).")
    confirmed_at: datetime | None = strawberry.field(description="When the address was proven (UTC); null before that.")


FIELDS = tuple(each.name for each in fields(Customer))


def customer_type(customer: domain.Customer) -> Customer:
    """Shows the fields of the domain's customer that have the same name here."""
    shown = {name: getattr(customer, name) for name in FIELDS}
    return Customer(**shown | {"id": strawberry.ID(str(customer.id))})


@strawberry.type(description="An address waits until the link in a mail is followed.")
class PendingConfirmation:
    sent_to: str = strawberry.field(description="The address that gets the mail with the link.")
    expires_at: datetime = strawberry.field(description="When the link stops working (UTC).")


def pending_confirmation(email: str | None, confirm_before: datetime | None) -> PendingConfirmation | None:
    """None where no address waits for its confirmation."""
    if email is None or confirm_before is None:
        return None
    return PendingConfirmation(sent_to=email, expires_at=confirm_before)

"""find, show and export: what an operator reads of customers. Each leaves an audit row."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from sqlalchemy import Row

import graphql_api.types.customer  # noqa: F401 - registers the enums of a customer
from graphql_api.operators.context import Info, needs
from graphql_api.operators.errors import (
    CustomerErasedError,
    CustomerNotFoundError,
    InvalidInputError,
    NotAllowedError,
    invalid_input,
    operator_error,
)
from registration.customer import Gender, Salutation
from registration.language import Language
from registration.outcomes import Violation, ViolationCode
from registration.readable_json import readable_json
from registration.support import actions, search
from registration.support.actions import ActionOutcome
from registration.support.export import export as export_customer
from registration.support.search import MOST, Place
from registration.support.tokens import Scope

USUAL = 20


@strawberry.type(description="A customer. Of one who is erased all that names the person is null.")
class Customer:
    reference: str = strawberry.field(description="The number people read out, unique, for example DE--25.")
    email: str | None = strawberry.field(description="The address as it was typed at sign-up.")
    salutation: Salutation | None = strawberry.field(description="Null when not given.")
    first_name: str | None = strawberry.field(description="Null when not given.")
    last_name: str | None = strawberry.field(description="Null when not given.")
    gender: Gender | None = strawberry.field(description="Null when not given.")
    date_of_birth: date | None = strawberry.field(description="Null when not given.")
    language: Language = strawberry.field(description="The language of mails to the customer.")
    created_at: datetime = strawberry.field(description="When the customer signed up (UTC).")
    confirmed_at: datetime | None = strawberry.field(description="When the address was proven (UTC); null before that.")
    password_changed_at: datetime | None = strawberry.field(description="When the password last changed (UTC).")
    blocked_at: datetime | None = strawberry.field(description="Since when an operator has the customer blocked (UTC).")
    erased_at: datetime | None = strawberry.field(description="When the customer was erased (UTC).")


@strawberry.type(description="Customers that were found.")
class CustomerPage:
    customers: list[Customer] = strawberry.field(description="In the order of last names, by their bytes.")
    end: str | None = strawberry.field(description="What `after` needs for the next page; null where none follows.")


@strawberry.type(description="Everything about a person (GDPR, articles 15 and 20), without a credential.")
class CustomerExport:
    json: str = strawberry.field(description="A JSON object: the rows of the person by table.")


@strawberry.input(description="Which customers to find.")
class FindInput:
    search: str = strawberry.field(
        description="A whole e-mail address, a whole reference, or how a last name begins: as it is written, or with a "
        "small first letter."
    )
    first: int | None = strawberry.field(
        description=f"How many at most: {USUAL} where it is not sent, {MOST} where it is more.",
        default=strawberry.UNSET,
    )
    after: str | None = strawberry.field(description="The `end` of the page before.", default=strawberry.UNSET)


FindResult = Annotated[
    CustomerPage | InvalidInputError | NotAllowedError,
    strawberry.union("FindResult", description="What came of find."),
]
ShowResult = Annotated[
    Customer | CustomerNotFoundError | CustomerErasedError | NotAllowedError,
    strawberry.union("ShowResult", description="What came of show."),
]
ExportResult = Annotated[
    CustomerExport | CustomerNotFoundError | NotAllowedError,
    strawberry.union("ExportResult", description="What came of export."),
]
Reference = Annotated[str, strawberry.argument(description="Of the customer, for example DE--25.")]


@needs(Scope.READ)
async def find(info: Info, input: Annotated[FindInput, strawberry.argument(description="Which.")]) -> FindResult:
    after = _place(input.after) if input.after else None
    if input.after and after is None:
        return invalid_input([Violation("after", ViolationCode.NOT_A_CHOICE)])
    first = min(max(input.first, 1), MOST) if isinstance(input.first, int) else USUAL
    page = await info.context.run(search.find, input.search, first, after)
    return CustomerPage(customers=[_customer(row) for row in page.rows], end=_text(page.end) if page.end else None)


@needs(Scope.READ)
async def show(info: Info, reference: Reference) -> ShowResult:
    found = await info.context.run(actions.show, reference)
    return operator_error(found) if isinstance(found, ActionOutcome) else _customer(found)  # type: ignore[return-value]


@needs(Scope.SUPPORT)
async def export(info: Info, reference: Reference) -> ExportResult:
    rows = await info.context.run(export_customer, reference)
    return operator_error(ActionOutcome.NO_CUSTOMER) if rows is None else CustomerExport(json=readable_json(rows))  # type: ignore[return-value]


def _customer(row: Row[Any]) -> Customer:
    return Customer(
        reference=row.reference,
        email=None if row.anonymized_at else row.email,
        salutation=row.salutation,
        first_name=row.first_name,
        last_name=row.last_name,
        gender=row.gender,
        date_of_birth=row.date_of_birth,
        language=row.language,
        created_at=row.created_at,
        confirmed_at=row.confirmed_at,
        password_changed_at=row.password_changed_at,
        blocked_at=row.blocked_at,
        erased_at=row.anonymized_at,
    )


def _text(place: Place) -> str:
    return urlsafe_b64encode(place.id.bytes + place.last_name.encode()).decode()


def _place(text: str) -> Place | None:
    """None for a text that is no end of a page."""
    try:
        raw = urlsafe_b64decode(text)
        place = Place(raw[16:].decode(), UUID(bytes=raw[:16]))
    except ValueError:
        return None
    return None if "\0" in place.last_name else place

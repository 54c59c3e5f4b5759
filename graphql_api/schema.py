"""The schema: every operation by name; it never resolves anything itself."""

from datetime import date, datetime

import strawberry
from strawberry.schema.config import StrawberryConfig

from graphql_api.confirm_customer import ConfirmCustomerResult, confirm_customer
from graphql_api.create_customer import CreateCustomerResult, create_customer
from graphql_api.registration_policy import RegistrationPolicy, registration_policy
from graphql_api.resend_confirmation import ResendConfirmationResult, resend_confirmation
from graphql_api.scalars import DATE, DATE_TIME

# Operations that hash a password: at most one in a request, and each waits for a hash slot.
HASHING_FIELDS = frozenset({"createCustomer"})


@strawberry.type(description="What can be read.")
class Query:
    registration_policy: RegistrationPolicy = strawberry.field(
        resolver=registration_policy, description="All that a sign-up form needs to know before it is sent."
    )


@strawberry.type(description="What can be done.")
class Mutation:
    create_customer: CreateCustomerResult = strawberry.field(
        resolver=create_customer,
        description="Register a customer. Reports every violation at once, and sends a mail with a confirmation link.",
    )
    confirm_customer: ConfirmCustomerResult = strawberry.field(
        resolver=confirm_customer, description="Confirm an address with the token of the mail; works once."
    )
    resend_confirmation: ResendConfirmationResult = strawberry.field(
        resolver=resend_confirmation,
        description="Ask for the confirmation mail again. The answer is the same whether or not the address is known.",
    )


schema = strawberry.Schema(
    query=Query, mutation=Mutation, config=StrawberryConfig(scalar_map={date: DATE, datetime: DATE_TIME})
)


def print_schema() -> str:
    """The published contract: the text of schema.graphql."""
    return schema.as_str() + "\n"

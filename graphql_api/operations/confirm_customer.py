"""confirmCustomer: input, results and resolver on one page."""

from typing import Annotated, assert_never

import strawberry

from graphql_api.engine.context import Info
from graphql_api.types.customer import Customer, customer_type
from graphql_api.types.user_errors import ConfirmationTokenError, user_error
from registration import outcomes
from registration.language import Language
from registration.signing_up.confirmation import confirm


@strawberry.input(description="The proof that a mailbox was read.")
class ConfirmCustomerInput:
    token: str = strawberry.field(description="The `token` of the link in the mail.")


@strawberry.type(description="The address is proven; the customer can sign in.")
class ConfirmCustomerSuccess:
    customer: Customer = strawberry.field(description="The confirmed customer.")


ConfirmCustomerResult = Annotated[
    ConfirmCustomerSuccess | ConfirmationTokenError,
    strawberry.union("ConfirmCustomerResult", description="What came of confirmCustomer."),
]


async def confirm_customer(
    info: Info, input: Annotated[ConfirmCustomerInput, strawberry.argument(description="The token.")]
) -> ConfirmCustomerResult:
    context = info.context
    outcome = await context.threads.run(confirm, context.services, input.token, context.client_ip)
    return _result(outcome, context.language)


def _result(outcome: outcomes.ConfirmationOutcome, language: Language) -> ConfirmCustomerResult:
    match outcome:
        case outcomes.Confirmed(customer):
            return ConfirmCustomerSuccess(customer=customer_type(customer))
        case outcomes.TokenRefused():
            return user_error(ConfirmationTokenError, language)
    assert_never(outcome)

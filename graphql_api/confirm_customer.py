"""confirmCustomer: input, results and resolver on one page."""

from typing import Annotated, assert_never

import strawberry

from graphql_api.context import Info
from graphql_api.customer import Customer, customer_type
from graphql_api.messages import USER_ERRORS
from graphql_api.user_error import UserError, UserErrorCode
from registration import outcomes
from registration.confirmation import confirm
from registration.language import Language


@strawberry.input(description="The proof that a mailbox was read.")
class ConfirmCustomerInput:
    token: str = strawberry.field(description="The `token` of the link in the mail.")


@strawberry.type(description="The address is proven; the customer can sign in.")
class ConfirmCustomerSuccess:
    customer: Customer = strawberry.field(description="The confirmed customer.")


@strawberry.type(description="The token is unknown, used or expired; which of these is not told.")
class ConfirmationTokenError(UserError):
    pass


ConfirmCustomerResult = Annotated[
    ConfirmCustomerSuccess | ConfirmationTokenError,
    strawberry.union("ConfirmCustomerResult", description="What came of confirmCustomer."),
]


async def confirm_customer(
    info: Info, input: Annotated[ConfirmCustomerInput, strawberry.argument(description="The token.")]
) -> ConfirmCustomerResult:
    outcome = await info.context.threads.run(confirm, info.context.services, input.token)
    return _result(outcome, info.context.language)


def _result(outcome: outcomes.ConfirmationOutcome, language: Language) -> ConfirmCustomerResult:
    match outcome:
        case outcomes.Confirmed(customer):
            return ConfirmCustomerSuccess(customer=customer_type(customer))
        case outcomes.TokenRefused():
            code = UserErrorCode.CONFIRMATION_TOKEN
            return ConfirmationTokenError(code=code, message=USER_ERRORS[code][language])
    assert_never(outcome)

"""confirmEmailChange: input, results and resolver on one page. It needs no access token."""

from typing import Annotated, assert_never

import strawberry

from graphql_api.engine.context import Info
from graphql_api.types.customer import Customer, customer_type
from graphql_api.types.user_errors import ConfirmationTokenError, EmailTakenError, user_error
from registration import outcomes
from registration.account.email_change import confirm_email_change as confirm
from registration.language import Language


@strawberry.input(description="The proof that the new mailbox was read.")
class ConfirmEmailChangeInput:
    token: str = strawberry.field(description="The `token` of the link in the mail.")


@strawberry.type(description="The new address is the customer's; the old one is free.")
class ConfirmEmailChangeSuccess:
    customer: Customer = strawberry.field(description="The customer with the new address.")


ConfirmEmailChangeResult = Annotated[
    ConfirmEmailChangeSuccess | ConfirmationTokenError | EmailTakenError,
    strawberry.union("ConfirmEmailChangeResult", description="What came of confirmEmailChange."),
]


async def confirm_email_change(
    info: Info, input: Annotated[ConfirmEmailChangeInput, strawberry.argument(description="The token.")]
) -> ConfirmEmailChangeResult:
    context = info.context
    outcome = await context.threads.run(confirm, context.services, input.token, context.client_ip)
    return _result(outcome, context.language)


def _result(outcome: outcomes.EmailChangeOutcome, language: Language) -> ConfirmEmailChangeResult:
    match outcome:
        case outcomes.Confirmed(customer):
            return ConfirmEmailChangeSuccess(customer=customer_type(customer))
        case outcomes.TokenRefused():
            return user_error(ConfirmationTokenError, language)
        case outcomes.EmailTaken():
            return user_error(EmailTakenError, language)
    assert_never(outcome)

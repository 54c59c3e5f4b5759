"""confirmCustomer: input, results and resolver on one page. The link's token confirms, or the code with the handle."""

from typing import Annotated, assert_never

import strawberry

from graphql_api.engine.context import Info
from graphql_api.types.customer import Customer, customer_type
from graphql_api.types.input import attributes_of
from graphql_api.types.invalid_input import InvalidInputError, invalid_input_error
from graphql_api.types.user_errors import ConfirmationCodeError, ConfirmationTokenError, user_error
from registration import outcomes
from registration.language import Language
from registration.signing_up.code import confirm_by_proof


@strawberry.input(description="The proof that a mailbox was read: `token`, or `code` and `handle`.")
class ConfirmCustomerInput:
    token: str | None = strawberry.field(
        description="The `token` of the link in the mail; needs nothing else.", default=strawberry.UNSET
    )
    code: str | None = strawberry.field(
        description="The six digits in the mail; they work in the page that has the handle.", default=strawberry.UNSET
    )
    handle: str | None = strawberry.field(description="What createCustomer answered.", default=strawberry.UNSET)


@strawberry.type(description="The address is proven; the customer can sign in.")
class ConfirmCustomerSuccess:
    customer: Customer = strawberry.field(description="The confirmed customer.")


ConfirmCustomerResult = Annotated[
    ConfirmCustomerSuccess | ConfirmationTokenError | ConfirmationCodeError | InvalidInputError,
    strawberry.union("ConfirmCustomerResult", description="What came of confirmCustomer."),
]


async def confirm_customer(
    info: Info, input: Annotated[ConfirmCustomerInput, strawberry.argument(description="The proof.")]
) -> ConfirmCustomerResult:
    context = info.context
    sent = {name: value for name, value in attributes_of(input).items() if value is not None}
    outcome = await context.threads.run(confirm_by_proof, context.services, sent, context.client_ip)
    return _result(outcome, context.language)


def _result(outcome: outcomes.ProofOutcome, language: Language) -> ConfirmCustomerResult:
    match outcome:
        case outcomes.Confirmed(customer):
            return ConfirmCustomerSuccess(customer=customer_type(customer))
        case outcomes.TokenRefused():
            return user_error(ConfirmationTokenError, language)
        case outcomes.CodeRefused(attempts_left):
            return user_error(ConfirmationCodeError, language, attempts_left=attempts_left)
        case outcomes.Invalid():
            return invalid_input_error(outcome, language)
    assert_never(outcome)

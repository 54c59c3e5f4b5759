"""anonymizeCustomer: input, results and resolver on one page. It erases the customer of the access token."""

from typing import Annotated, assert_never

import strawberry

from graphql_api.engine.context import Info
from graphql_api.engine.costs import costs
from graphql_api.types.messages import DONE, MESSAGE
from graphql_api.types.user_errors import BadCredentialsError, user_error
from registration import outcomes
from registration.account.erasure import anonymize
from registration.language import Language
from registration.limits.budgets import Cost


@strawberry.input(description="The access token names the customer; the password may be checked once more.")
class AnonymizeCustomerInput:
    password: str | None = strawberry.field(
        description="Optional; if it is sent, it must be the right one.", default=strawberry.UNSET
    )


@strawberry.type(description="The person is erased and signed out everywhere; the address can register again.")
class AnonymizeCustomerSuccess:
    message: str = strawberry.field(description=MESSAGE)


AnonymizeCustomerResult = Annotated[
    AnonymizeCustomerSuccess | BadCredentialsError,
    strawberry.union("AnonymizeCustomerResult", description="What came of anonymizeCustomer."),
]


@costs(Cost.HASH)
async def anonymize_customer(
    info: Info, input: Annotated[AnonymizeCustomerInput, strawberry.argument(description="The password, or nothing.")]
) -> AnonymizeCustomerResult:
    context = info.context
    caller = await context.caller()
    password = None if input.password is strawberry.UNSET else input.password
    outcome = await context.threads.run_hashing(anonymize, context.services, caller, password)
    return _result(outcome, context.language)


def _result(outcome: outcomes.ErasureOutcome, language: Language) -> AnonymizeCustomerResult:
    match outcome:
        case outcomes.Done():
            return AnonymizeCustomerSuccess(message=DONE[language])
        case outcomes.BadCredentials():
            return user_error(BadCredentialsError, language)
    assert_never(outcome)

"""requestPasswordReset: input, results and resolver on one page. Known and unknown addresses get the same answer."""

from typing import Annotated, assert_never

import strawberry

from graphql_api.engine.context import Info
from graphql_api.engine.costs import costs
from graphql_api.types.invalid_input import InvalidInputError, invalid_input_error
from graphql_api.types.messages import MESSAGE, RESET_ACCEPTED
from graphql_api.types.user_errors import TooManyAttemptsError, user_error
from registration import outcomes
from registration.language import Language
from registration.limits.budgets import Cost
from registration.passwords.reset import request_reset


@strawberry.input(description="The account whose password is forgotten.")
class RequestPasswordResetInput:
    email: str = strawberry.field(description="The address of the account.")


@strawberry.type(description="If an account has the address, a mail with a link to a new password is on its way.")
class RequestPasswordResetAccepted:
    message: str = strawberry.field(description=MESSAGE)


RequestPasswordResetResult = Annotated[
    RequestPasswordResetAccepted | InvalidInputError | TooManyAttemptsError,
    strawberry.union("RequestPasswordResetResult", description="What came of requestPasswordReset."),
]


@costs(Cost.MAIL)
async def request_password_reset(
    info: Info, input: Annotated[RequestPasswordResetInput, strawberry.argument(description="The address.")]
) -> RequestPasswordResetResult:
    context = info.context
    outcome = await context.threads.run(request_reset, context.services, input.email, context.client_ip)
    return _result(outcome, context.language)


def _result(outcome: outcomes.ResetRequestOutcome, language: Language) -> RequestPasswordResetResult:
    match outcome:
        case outcomes.Accepted():
            return RequestPasswordResetAccepted(message=RESET_ACCEPTED[language])
        case outcomes.Invalid():
            return invalid_input_error(outcome, language)
        case outcomes.TooManyAttempts(seconds):
            return user_error(TooManyAttemptsError, language, retry_after_seconds=seconds)
    assert_never(outcome)

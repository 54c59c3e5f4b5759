"""resendConfirmation: input, results and resolver on one page. Known and unknown addresses get the same answer."""

from typing import Annotated, assert_never

import strawberry

from graphql_api.engine.context import Info
from graphql_api.engine.costs import costs
from graphql_api.types.invalid_input import InvalidInputError, invalid_input_error
from graphql_api.types.messages import ACCEPTED, MESSAGE
from graphql_api.types.user_errors import TooManyAttemptsError, user_error
from registration import outcomes
from registration.language import Language
from registration.limits.budgets import Cost
from registration.signing_up.confirmation import resend_confirmation as resend


@strawberry.input(description="The sign-up whose confirmation mail is sent again.")
class ResendConfirmationInput:
    email: str = strawberry.field(description="The address of the sign-up.")


@strawberry.type(description="If an account waits for its confirmation under the address, a mail is on its way.")
class ResendConfirmationAccepted:
    message: str = strawberry.field(description=MESSAGE)


ResendConfirmationResult = Annotated[
    ResendConfirmationAccepted | InvalidInputError | TooManyAttemptsError,
    strawberry.union("ResendConfirmationResult", description="What came of resendConfirmation."),
]


@costs(Cost.MAIL)
async def resend_confirmation(
    info: Info, input: Annotated[ResendConfirmationInput, strawberry.argument(description="The address.")]
) -> ResendConfirmationResult:
    context = info.context
    outcome = await context.threads.run(resend, context.services, input.email, context.client_ip)
    return _result(outcome, context.language)


def _result(outcome: outcomes.ResendOutcome, language: Language) -> ResendConfirmationResult:
    match outcome:
        case outcomes.Accepted():
            return ResendConfirmationAccepted(message=ACCEPTED[language])
        case outcomes.Invalid():
            return invalid_input_error(outcome, language)
        case outcomes.TooManyAttempts(seconds):
            return user_error(TooManyAttemptsError, language, retry_after_seconds=seconds)
    assert_never(outcome)

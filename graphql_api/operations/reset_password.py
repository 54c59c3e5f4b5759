"""resetPassword: input, results and resolver on one page. It needs no access token."""

from typing import Annotated, assert_never

import strawberry

from graphql_api.engine.context import Info
from graphql_api.engine.costs import costs
from graphql_api.types.invalid_input import InvalidInputError, invalid_input_error
from graphql_api.types.messages import DONE, MESSAGE
from graphql_api.types.user_errors import ResetTokenError, ResetTokenReason, user_error
from registration import outcomes
from registration.language import Language
from registration.limits.budgets import Cost
from registration.passwords.reset import reset


@strawberry.input(description="A new password, and the proof that a mailbox was read.")
class ResetPasswordInput:
    token: str = strawberry.field(description="The `token` of the link in the mail.")
    password: str = strawberry.field(description="The new password; see registrationPolicy for its rules.")
    confirm_password: str = strawberry.field(description="The new password once more.")


@strawberry.type(description="The password is new, the address is proven, and every session has ended.")
class ResetPasswordSuccess:
    message: str = strawberry.field(description=MESSAGE)


ResetPasswordResult = Annotated[
    ResetPasswordSuccess | ResetTokenError | InvalidInputError,
    strawberry.union("ResetPasswordResult", description="What came of resetPassword."),
]


@costs(Cost.HASH)
async def reset_password(
    info: Info, input: Annotated[ResetPasswordInput, strawberry.argument(description="Token and new password.")]
) -> ResetPasswordResult:
    context = info.context
    attributes = {"token": input.token, "password": input.password, "confirmPassword": input.confirm_password}
    outcome = await context.threads.run_hashing(reset, context.services, attributes, context.client_ip)
    return _result(outcome, context.language)


def _result(outcome: outcomes.ResetOutcome, language: Language) -> ResetPasswordResult:
    match outcome:
        case outcomes.Done():
            return ResetPasswordSuccess(message=DONE[language])
        case outcomes.ResetRefused(expired):
            reason = ResetTokenReason.EXPIRED if expired else ResetTokenReason.UNKNOWN
            return user_error(ResetTokenError, language, reason=reason)
        case outcomes.Invalid():
            return invalid_input_error(outcome, language)
    assert_never(outcome)

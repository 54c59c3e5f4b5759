"""changePassword: input, results and resolver on one page."""

from typing import Annotated, assert_never

import strawberry

from graphql_api.engine.context import Info
from graphql_api.engine.costs import costs
from graphql_api.types.invalid_input import InvalidInputError, invalid_input_error
from graphql_api.types.messages import DONE, MESSAGE
from graphql_api.types.user_errors import BadCredentialsError, user_error
from registration import outcomes
from registration.language import Language
from registration.limits.budgets import Cost
from registration.passwords.change import change_password as change


@strawberry.input(description="The old password and the new one.")
class ChangePasswordInput:
    password: str = strawberry.field(description="The current password.")
    new_password: str = strawberry.field(description="The new password; see registrationPolicy for its rules.")
    confirm_password: str = strawberry.field(description="The new password once more.")


@strawberry.type(
    description="The password is new, and a mail says so. Every other session has ended, and access tokens issued "
    "before are refused: the refresh token of this session gets new ones."
)
class ChangePasswordSuccess:
    message: str = strawberry.field(description=MESSAGE)


ChangePasswordResult = Annotated[
    ChangePasswordSuccess | BadCredentialsError | InvalidInputError,
    strawberry.union("ChangePasswordResult", description="What came of changePassword."),
]


@costs(Cost.HASH)
async def change_password(
    info: Info, input: Annotated[ChangePasswordInput, strawberry.argument(description="Old and new password.")]
) -> ChangePasswordResult:
    context = info.context
    caller = await context.caller()
    attributes = {
        "password": input.password,
        "newPassword": input.new_password,
        "confirmPassword": input.confirm_password,
    }
    outcome = await context.threads.run_hashing(
        change, context.services, caller, attributes, context.client_ip, sends_notice=not context.legacy
    )
    return _result(outcome, context.language)


def _result(outcome: outcomes.PasswordChangeOutcome, language: Language) -> ChangePasswordResult:
    match outcome:
        case outcomes.Done():
            return ChangePasswordSuccess(message=DONE[language])
        case outcomes.BadCredentials():
            return user_error(BadCredentialsError, language)
        case outcomes.Invalid():
            return invalid_input_error(outcome, language)
    assert_never(outcome)

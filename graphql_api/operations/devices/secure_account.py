"""secureAccount, "this was not me": input, results and resolver on one page. It needs no access token."""

from typing import Annotated, assert_never

import strawberry

from graphql_api.engine.context import Info
from graphql_api.types.messages import DONE, MESSAGE
from graphql_api.types.user_errors import AlertTokenError, EmailTakenError, user_error
from registration import outcomes
from registration.account import securing
from registration.language import Language


@strawberry.input(description="The proof that a mail about the security of an account was read.")
class SecureAccountInput:
    token: str = strawberry.field(description="The `token` of the link in the mail.")


@strawberry.type(
    description="Every session has ended and the password does not work any more; an address that was changed since "
    "the mail is changed back. A mail with a link to a new password is on its way."
)
class SecureAccountSuccess:
    message: str = strawberry.field(description=MESSAGE)


SecureAccountResult = Annotated[
    SecureAccountSuccess | AlertTokenError | EmailTakenError,
    strawberry.union(
        "SecureAccountResult",
        description="What came of secureAccount. EmailTakenError: all is done, but the former address is another "
        "account's by now, so no mail is sent.",
    ),
]


async def secure_account(
    info: Info, input: Annotated[SecureAccountInput, strawberry.argument(description="The token.")]
) -> SecureAccountResult:
    context = info.context
    outcome = await context.threads.run(securing.secure_account, context.services, input.token, context.client_ip)
    return _result(outcome, context.language)


def _result(outcome: outcomes.SecuringOutcome, language: Language) -> SecureAccountResult:
    match outcome:
        case outcomes.Done():
            return SecureAccountSuccess(message=DONE[language])
        case outcomes.EmailTaken():
            return user_error(EmailTakenError, language)
        case outcomes.TokenRefused():
            return user_error(AlertTokenError, language)
    assert_never(outcome)

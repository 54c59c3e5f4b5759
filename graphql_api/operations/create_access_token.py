"""createAccessToken, which is signing in: input, results and resolver on one page."""

from typing import Annotated, assert_never

import strawberry

from graphql_api.engine.context import Context, Info
from graphql_api.engine.costs import costs
from graphql_api.types.token_pair import TokenPair, token_pair
from graphql_api.types.user_errors import BadCredentialsError, EmailNotConfirmedError, TooManyAttemptsError, user_error
from registration import outcomes
from registration.limits.budgets import Cost


@strawberry.input(description="What a customer signs in with.")
class CreateAccessTokenInput:
    email: str = strawberry.field(description="The e-mail address; upper and lower case are the same.")
    password: str = strawberry.field(description="The password.")


@strawberry.type(description="The customer is signed in.")
class CreateAccessTokenSuccess:
    tokens: TokenPair = strawberry.field(description="What to act with from now on.")


CreateAccessTokenResult = Annotated[
    CreateAccessTokenSuccess | BadCredentialsError | EmailNotConfirmedError | TooManyAttemptsError,
    strawberry.union("CreateAccessTokenResult", description="What came of createAccessToken."),
]


@costs(Cost.HASH, Cost.GUESS)
async def create_access_token(
    info: Info, input: Annotated[CreateAccessTokenInput, strawberry.argument(description="Address and password.")]
) -> CreateAccessTokenResult:
    context = info.context
    if context.refresh_cookie:
        context.refresh_cookie.demand_proof()
    outcome = await context.sign_in(input.email, input.password)
    return _result(outcome, context)


def _result(outcome: outcomes.SignInOutcome, context: Context) -> CreateAccessTokenResult:
    language = context.language
    match outcome:
        case outcomes.Tokens():
            return CreateAccessTokenSuccess(tokens=token_pair(outcome, context.refresh_cookie))
        case outcomes.BadCredentials():
            return user_error(BadCredentialsError, language)
        case outcomes.EmailNotConfirmed():
            return user_error(EmailNotConfirmedError, language)
        case outcomes.TooManyAttempts(seconds):
            return user_error(TooManyAttemptsError, language, retry_after_seconds=seconds)
    assert_never(outcome)

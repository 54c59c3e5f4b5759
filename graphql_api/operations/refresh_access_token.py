"""refreshAccessToken: input, results and resolver on one page."""

from typing import Annotated, assert_never

import strawberry

from graphql_api.engine.context import Info
from graphql_api.types.token_pair import TokenPair, token_pair
from graphql_api.types.user_errors import RefreshTokenError, user_error
from registration import outcomes
from registration.language import Language
from registration.sessions.sessions import refresh


@strawberry.input(description="What keeps a customer signed in.")
class RefreshAccessTokenInput:
    refresh_token: str = strawberry.field(description="The `refreshToken` of the last pair.")


@strawberry.type(description="The customer stays signed in; the token that was sent is used up.")
class RefreshAccessTokenSuccess:
    tokens: TokenPair = strawberry.field(description="What to act with from now on.")


RefreshAccessTokenResult = Annotated[
    RefreshAccessTokenSuccess | RefreshTokenError,
    strawberry.union("RefreshAccessTokenResult", description="What came of refreshAccessToken."),
]


async def refresh_access_token(
    info: Info, input: Annotated[RefreshAccessTokenInput, strawberry.argument(description="The refresh token.")]
) -> RefreshAccessTokenResult:
    context = info.context
    outcome = await context.threads.run(
        refresh, context.services, input.refresh_token, context.client_ip, context.token_algorithm
    )
    return _result(outcome, context.language)


def _result(outcome: outcomes.RefreshOutcome, language: Language) -> RefreshAccessTokenResult:
    match outcome:
        case outcomes.Tokens():
            return RefreshAccessTokenSuccess(tokens=token_pair(outcome))
        case outcomes.RefreshRefused():
            return user_error(RefreshTokenError, language)
    assert_never(outcome)

"""refreshAccessToken: input, results and resolver on one page."""

from typing import Annotated, assert_never

import strawberry

from graphql_api.engine.context import Context, Info
from graphql_api.types.token_pair import TokenPair, token_pair
from graphql_api.types.user_errors import RefreshTokenError, user_error
from registration import outcomes
from registration.sessions.sessions import refresh


@strawberry.input(description="What keeps a customer signed in.")
class RefreshAccessTokenInput:
    refresh_token: str | None = strawberry.field(
        description="The `refreshToken` of the last pair; leave it out where it travels in a cookie.",
        default=strawberry.UNSET,
    )


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
    cookie, token = context.refresh_cookie, input.refresh_token or ""
    if cookie:
        cookie.demand_proof()
        token = token or cookie.sent
    outcome = await context.threads.run(refresh, context.services, token, context.client_ip)
    return _result(outcome, context)


def _result(outcome: outcomes.RefreshOutcome, context: Context) -> RefreshAccessTokenResult:
    match outcome:
        case outcomes.Tokens():
            return RefreshAccessTokenSuccess(tokens=token_pair(outcome, context.refresh_cookie))
        case outcomes.RefreshRefused():
            # The cookie stays: another tab of the browser may have a newer one by now.
            return user_error(RefreshTokenError, context.language)
    assert_never(outcome)

"""revokeRefreshToken, which is signing out: input, result and resolver on one page."""

from typing import Annotated

import strawberry

from graphql_api.engine.context import Info
from graphql_api.types.messages import DONE, MESSAGE
from registration.sessions.sessions import revoke, revoke_all


@strawberry.input(one_of=True, description="Which sessions to end: exactly one of the two.")
class RevokeRefreshTokenInput:
    refresh_token: str | None = strawberry.field(
        description="The session of this token; one that is unknown or not the caller's is left alone.",
        default=strawberry.UNSET,
    )
    all: bool | None = strawberry.field(description="True: every session of the caller.", default=strawberry.UNSET)


@strawberry.type(description="These sessions have ended: none of their tokens works any more.")
class RevokeRefreshTokenSuccess:
    message: str = strawberry.field(description=MESSAGE)


RevokeRefreshTokenResult = Annotated[
    RevokeRefreshTokenSuccess,
    strawberry.union("RevokeRefreshTokenResult", description="What came of revokeRefreshToken."),
]


async def revoke_refresh_token(
    info: Info, input: Annotated[RevokeRefreshTokenInput, strawberry.argument(description="Which sessions.")]
) -> RevokeRefreshTokenResult:
    context = info.context
    caller, keep_access = await context.caller(), context.legacy
    if input.all:
        await context.threads.run(revoke_all, context.services, caller, context.client_ip, keep_access=keep_access)
    elif input.refresh_token:
        await context.threads.run(
            revoke, context.services, caller, input.refresh_token, context.client_ip, keep_access=keep_access
        )
    return RevokeRefreshTokenSuccess(message=DONE[context.language])

"""revokeRefreshToken, which is signing out: input, result and resolver on one page."""

from typing import Annotated

import strawberry

from graphql_api.engine.context import Info
from graphql_api.types.messages import DONE, MESSAGE
from registration.sessions.sessions import revoke, revoke_all, revoke_one


@strawberry.input(one_of=True, description="Which sessions to end: exactly one of the three.")
class RevokeRefreshTokenInput:
    refresh_token: str | None = strawberry.field(
        description="The session of this token; one that is unknown or not the caller's is left alone.",
        default=strawberry.UNSET,
    )
    current: bool | None = strawberry.field(
        description="True: the session of the access token; its cookie goes, too, where there is one.",
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
    context, cookie = info.context, info.context.refresh_cookie
    if cookie:
        cookie.demand_proof()
    caller, keep_access = await context.caller(), context.legacy
    if input.all:
        await context.threads.run(revoke_all, context.services, caller, context.client_ip, keep_access=keep_access)
    elif input.current:
        await context.threads.run(revoke_one, context.services, caller, caller.session_id, context.client_ip)
    elif input.refresh_token:
        await context.threads.run(
            revoke, context.services, caller, input.refresh_token, context.client_ip, keep_access=keep_access
        )
    if cookie and (input.all or input.current):
        cookie.clear()
    return RevokeRefreshTokenSuccess(message=DONE[context.language])

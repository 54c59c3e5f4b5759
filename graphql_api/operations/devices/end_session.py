"""endSession: input, results and resolver on one page."""

from typing import Annotated, assert_never

import strawberry

from graphql_api.engine.context import Info
from graphql_api.types.messages import DONE, MESSAGE
from graphql_api.types.user_errors import SessionNotFoundError, user_error
from registration import outcomes
from registration.language import Language
from registration.sessions import listing


@strawberry.input(description="Which device to sign out.")
class EndSessionInput:
    id: strawberry.ID = strawberry.field(description="The `id` of one of `sessions`; it may be that of this request.")


@strawberry.type(description="The session has ended: none of its tokens works any more.")
class EndSessionSuccess:
    message: str = strawberry.field(description=MESSAGE)


EndSessionResult = Annotated[
    EndSessionSuccess | SessionNotFoundError,
    strawberry.union("EndSessionResult", description="What came of endSession."),
]


async def end_session(
    info: Info, input: Annotated[EndSessionInput, strawberry.argument(description="Which session.")]
) -> EndSessionResult:
    context = info.context
    caller = await context.caller()
    outcome = await context.threads.run(listing.end_session, context.services, caller, input.id, context.client_ip)
    return _result(outcome, context.language)


def _result(outcome: outcomes.EndSessionOutcome, language: Language) -> EndSessionResult:
    match outcome:
        case outcomes.Done():
            return EndSessionSuccess(message=DONE[language])
        case outcomes.SessionUnknown():
            return user_error(SessionNotFoundError, language)
    assert_never(outcome)

"""exportMyData: results and resolver on one page."""

from typing import Annotated, assert_never

import strawberry

from graphql_api.engine.context import Info
from graphql_api.engine.costs import costs
from graphql_api.engine.errors import Unauthenticated
from graphql_api.types.messages import EXPORT_ACCEPTED, MESSAGE
from graphql_api.types.user_errors import TooManyAttemptsError, user_error
from registration import outcomes
from registration.account.data_export import request_export
from registration.language import Language
from registration.limits.budgets import Cost


@strawberry.type(description="A mail with a link to the data, good for a day, is on its way.")
class ExportMyDataAccepted:
    message: str = strawberry.field(description=MESSAGE)


ExportMyDataResult = Annotated[
    ExportMyDataAccepted | TooManyAttemptsError,
    strawberry.union("ExportMyDataResult", description="What came of exportMyData."),
]


@costs(Cost.MAIL)
async def export_my_data(info: Info) -> ExportMyDataResult:
    context = info.context
    caller = await context.caller()
    outcome = await context.threads.run(request_export, context.services, caller, context.client_ip)
    return _result(outcome, context.language)


def _result(outcome: outcomes.ExportRequestOutcome, language: Language) -> ExportMyDataResult:
    match outcome:
        case outcomes.Accepted():
            return ExportMyDataAccepted(message=EXPORT_ACCEPTED[language])
        case outcomes.TooManyAttempts(seconds):
            return user_error(TooManyAttemptsError, language, retry_after_seconds=seconds)
        case outcomes.Gone():
            raise Unauthenticated
    assert_never(outcome)

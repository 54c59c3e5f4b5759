"""TooManyAttemptsError, shared by every operation that has a limit; it never says what was counted."""

import strawberry

from graphql_api.messages import USER_ERRORS
from graphql_api.user_error import UserError, UserErrorCode
from registration.language import Language
from registration.outcomes import TooManyAttempts


@strawberry.type(description="The same was tried too often; nothing was done.")
class TooManyAttemptsError(UserError):
    retry_after_seconds: int = strawberry.field(description="How many seconds to wait before the next attempt.")


def too_many_attempts_error(outcome: TooManyAttempts, language: Language) -> TooManyAttemptsError:
    return TooManyAttemptsError(
        code=UserErrorCode.TOO_MANY_ATTEMPTS,
        message=USER_ERRORS[UserErrorCode.TOO_MANY_ATTEMPTS][language],
        retry_after_seconds=outcome.retry_after_seconds,
    )

"""ConfirmationTokenError, shared by the operations that prove an address; it never says what is wrong with a token."""

import strawberry

from graphql_api.messages import USER_ERRORS
from graphql_api.user_error import UserError, UserErrorCode
from registration.language import Language


@strawberry.type(description="The token is unknown, used or expired; which of these is not told.")
class ConfirmationTokenError(UserError):
    pass


def confirmation_token_error(language: Language) -> ConfirmationTokenError:
    code = UserErrorCode.CONFIRMATION_TOKEN
    return ConfirmationTokenError(code=code, message=USER_ERRORS[code][language])

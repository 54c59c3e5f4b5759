"""BadCredentialsError, shared by every operation that asks for a password; it never says what was wrong."""

import strawberry

from graphql_api.messages import USER_ERRORS
from graphql_api.user_error import UserError, UserErrorCode
from registration.language import Language


@strawberry.type(
    description="Wrong password, unknown address, or an account that is not confirmed or erased: which is not told."
)
class BadCredentialsError(UserError):
    pass


def bad_credentials_error(language: Language) -> BadCredentialsError:
    code = UserErrorCode.BAD_CREDENTIALS
    return BadCredentialsError(code=code, message=USER_ERRORS[code][language])

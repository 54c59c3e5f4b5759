"""EmailTakenError, shared by every operation that asks for an address; it never says whose it is."""

import strawberry

from graphql_api.messages import USER_ERRORS
from graphql_api.user_error import UserError, UserErrorCode
from registration.language import Language


@strawberry.type(description="The address belongs to a customer, or waits for its confirmation.")
class EmailTakenError(UserError):
    pass


def email_taken_error(language: Language) -> EmailTakenError:
    code = UserErrorCode.EMAIL_TAKEN
    return EmailTakenError(code=code, message=USER_ERRORS[code][language])

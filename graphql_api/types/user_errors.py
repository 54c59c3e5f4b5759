"""The error members of result unions: their interface, their codes and the sentences for people.

InvalidInputError, which carries a list of violations, has a module of its own (`invalid_input`).
"""

from collections.abc import Mapping
from enum import Enum
from typing import ClassVar, TypeVar

import strawberry

from graphql_api.types.messages import MESSAGE
from registration.language import Language
from registration.texts import Text


@strawberry.enum(description="Names the members of result unions that are errors. Branch on this, not on the message.")
class UserErrorCode(Enum):
    INVALID_INPUT = strawberry.enum_value("INVALID_INPUT", description="InvalidInputError: see its violations.")
    EMAIL_TAKEN = strawberry.enum_value("EMAIL_TAKEN", description="EmailTakenError.")
    TOO_MANY_ATTEMPTS = strawberry.enum_value("TOO_MANY_ATTEMPTS", description="TooManyAttemptsError.")
    IDEMPOTENCY_CONFLICT = strawberry.enum_value("IDEMPOTENCY_CONFLICT", description="IdempotencyConflictError.")
    BAD_CREDENTIALS = strawberry.enum_value("BAD_CREDENTIALS", description="BadCredentialsError.")
    EMAIL_NOT_CONFIRMED = strawberry.enum_value("EMAIL_NOT_CONFIRMED", description="EmailNotConfirmedError.")
    REFRESH_TOKEN = strawberry.enum_value("REFRESH_TOKEN", description="RefreshTokenError.")
    RESET_TOKEN = strawberry.enum_value("RESET_TOKEN", description="ResetTokenError.")
    CONFIRMATION_TOKEN = strawberry.enum_value("CONFIRMATION_TOKEN", description="ConfirmationTokenError.")
    ALERT_TOKEN = strawberry.enum_value("ALERT_TOKEN", description="AlertTokenError.")
    CONFIRMATION_CODE = strawberry.enum_value("CONFIRMATION_CODE", description="ConfirmationCodeError.")
    SESSION_NOT_FOUND = strawberry.enum_value("SESSION_NOT_FOUND", description="SessionNotFoundError.")


@strawberry.interface(description="An expected failure. Selecting it keeps working when a union gains a member.")
class UserError:
    code: UserErrorCode = strawberry.field(description="Which error this is.")
    message: str = strawberry.field(description=MESSAGE)
    CODE: ClassVar[UserErrorCode]


@strawberry.type(description="The address belongs to a customer, or waits for its confirmation.")
class EmailTakenError(UserError):
    CODE = UserErrorCode.EMAIL_TAKEN


@strawberry.type(description="The same was tried too often; nothing was done.")
class TooManyAttemptsError(UserError):
    CODE = UserErrorCode.TOO_MANY_ATTEMPTS
    retry_after_seconds: int = strawberry.field(description="How many seconds to wait before the next attempt.")


@strawberry.type(description="The idempotency key was used before with other input.")
class IdempotencyConflictError(UserError):
    CODE = UserErrorCode.IDEMPOTENCY_CONFLICT


@strawberry.type(
    description="Wrong password, unknown address, or an account that is erased or, where disclosure is CONCEAL, not "
    "confirmed: which is not told."
)
class BadCredentialsError(UserError):
    CODE = UserErrorCode.BAD_CREDENTIALS


@strawberry.type(
    description="The password is right, and the address is not confirmed yet: see resendConfirmation. Only where "
    "disclosure is REVEAL; it does not count as a failed attempt."
)
class EmailNotConfirmedError(UserError):
    CODE = UserErrorCode.EMAIL_NOT_CONFIRMED


@strawberry.type(
    description="The token is unknown, used, expired or revoked; which of these is not told. "
    "A token that is used twice ends its session."
)
class RefreshTokenError(UserError):
    CODE = UserErrorCode.REFRESH_TOKEN


@strawberry.enum(description="What is wrong with a reset token.")
class ResetTokenReason(Enum):
    UNKNOWN = strawberry.enum_value("UNKNOWN", description="Not issued, used already, or replaced by a newer one.")
    EXPIRED = strawberry.enum_value("EXPIRED", description="Its time is over.")


@strawberry.type(description="The token cannot be used; the password stays as it is.")
class ResetTokenError(UserError):
    CODE = UserErrorCode.RESET_TOKEN
    reason: ResetTokenReason = strawberry.field(description="What is wrong with it.")


@strawberry.type(description="The token is unknown, used or expired; which of these is not told.")
class ConfirmationTokenError(UserError):
    CODE = UserErrorCode.CONFIRMATION_TOKEN


@strawberry.type(description="The token is unknown, used or expired; which of these is not told.")
class AlertTokenError(UserError):
    CODE = UserErrorCode.ALERT_TOKEN


@strawberry.type(description="The customer has no session of this id, or it has ended already.")
class SessionNotFoundError(UserError):
    CODE = UserErrorCode.SESSION_NOT_FOUND


@strawberry.type(
    description="The code is wrong, used, expired or ended by wrong ones, or the handle is unknown: which of these is "
    "not told. The link of the mail works all the same, and resendConfirmation mails a new code for the same handle."
)
class ConfirmationCodeError(UserError):
    CODE = UserErrorCode.CONFIRMATION_CODE
    attempts_left: int = strawberry.field(description="How many more codes may be tried; 0 when the code has ended.")


USER_ERRORS: Mapping[UserErrorCode, Text] = {
    UserErrorCode.INVALID_INPUT: Text("Some of the input is not valid."),
    UserErrorCode.EMAIL_TAKEN: Text("This e-mail address is already registered or waiting for its confirmation."),
    UserErrorCode.TOO_MANY_ATTEMPTS: Text("Too many attempts. Please try again later."),
    UserErrorCode.IDEMPOTENCY_CONFLICT: Text("This idempotency key was already used with other input."),
    UserErrorCode.BAD_CREDENTIALS: Text("The e-mail address or the password is wrong."),
    UserErrorCode.EMAIL_NOT_CONFIRMED: Text(
        "Please confirm your e-mail address first: follow the link in the mail that we sent you."
    ),
    UserErrorCode.REFRESH_TOKEN: Text("This session has ended. Please sign in again."),
    UserErrorCode.RESET_TOKEN: Text("This link to a new password is no longer valid."),
    UserErrorCode.CONFIRMATION_TOKEN: Text("This confirmation link is no longer valid."),
    UserErrorCode.CONFIRMATION_CODE: Text("This code is not right, or no longer valid."),
    UserErrorCode.ALERT_TOKEN: Text("This link is no longer valid."),
    UserErrorCode.SESSION_NOT_FOUND: Text("This device is signed out already."),
}

Error = TypeVar("Error", bound=UserError)


def user_error(kind: type[Error], language: Language, **facts: object) -> Error:
    """An error of this type with its code and message; `facts` are its other fields."""
    return kind(code=kind.CODE, message=USER_ERRORS[kind.CODE][language], **facts)

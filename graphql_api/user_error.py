"""The interface of everything that can be wrong with a request; it never carries a value that was sent."""

from enum import Enum

import strawberry


@strawberry.enum(description="Names the members of result unions that are errors. Branch on this, not on the message.")
class UserErrorCode(Enum):
    INVALID_INPUT = strawberry.enum_value("INVALID_INPUT", description="InvalidInputError: see its violations.")
    EMAIL_TAKEN = strawberry.enum_value("EMAIL_TAKEN", description="EmailTakenError.")
    TOO_MANY_ATTEMPTS = strawberry.enum_value("TOO_MANY_ATTEMPTS", description="TooManyAttemptsError.")
    IDEMPOTENCY_CONFLICT = strawberry.enum_value("IDEMPOTENCY_CONFLICT", description="IdempotencyConflictError.")
    BAD_CREDENTIALS = strawberry.enum_value("BAD_CREDENTIALS", description="BadCredentialsError.")
    REFRESH_TOKEN = strawberry.enum_value("REFRESH_TOKEN", description="RefreshTokenError.")
    RESET_TOKEN = strawberry.enum_value("RESET_TOKEN", description="ResetTokenError.")
    CONFIRMATION_TOKEN = strawberry.enum_value("CONFIRMATION_TOKEN", description="ConfirmationTokenError.")


@strawberry.interface(description="An expected failure. Selecting it keeps working when a union gains a member.")
class UserError:
    code: UserErrorCode = strawberry.field(description="Which error this is.")
    message: str = strawberry.field(description="A sentence for people, in the language of Accept-Language (en, de).")

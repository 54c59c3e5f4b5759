"""What a use case answers: facts, never texts; an expected failure is one of these, never an exception."""

from dataclasses import dataclass, field
from datetime import datetime

from registration.customer import Customer
from registration.rules import Violation


@dataclass(frozen=True, slots=True)
class Registered:
    """A customer exists; `confirm_before` is None when no confirmation is asked for."""

    customer: Customer
    confirm_before: datetime | None


@dataclass(frozen=True, slots=True)
class Invalid:
    """Every rule the input breaks, in the order of the input's attributes."""

    violations: tuple[Violation, ...]


@dataclass(frozen=True, slots=True)
class EmailTaken:
    """The address belongs to a customer, or to one whose confirmation is pending."""


@dataclass(frozen=True, slots=True)
class TooManyAttempts:
    """The same thing was tried too often."""

    retry_after_seconds: int


@dataclass(frozen=True, slots=True)
class IdempotencyConflict:
    """The idempotency key was used before with another input."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The address is proven."""

    customer: Customer


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """The key is unknown, used or expired: which of these is not told."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request is taken; whether the address is known is not told."""


@dataclass(frozen=True, slots=True)
class Disowned:
    """A pending account was erased at the request of the address's owner."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A pair of tokens; lifetimes in seconds."""

    access_token: str = field(repr=False)
    expires_in: int
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BadCredentials:
    """Wrong password, unknown address, unconfirmed or erased: which of these is not told."""


@dataclass(frozen=True, slots=True)
class RefreshRefused:
    """The refresh token is unknown, used, expired or revoked."""


@dataclass(frozen=True, slots=True)
class ResetRefused:
    """The reset key is unknown or used, or it has expired."""

    expired: bool


@dataclass(frozen=True, slots=True)
class Done:
    """It is done; there is nothing to show."""


@dataclass(frozen=True, slots=True)
class Updated:
    """The customer as stored now; `pending_email` waits for its proof until `confirm_before`."""

    customer: Customer
    pending_email: str | None = field(default=None, repr=False)
    confirm_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """The customer was erased a moment ago, so the access token is good no more."""


SignInOutcome = Tokens | BadCredentials | TooManyAttempts
RefreshOutcome = Tokens | RefreshRefused
ResetRequestOutcome = Accepted | Invalid | TooManyAttempts
ResetOutcome = Done | ResetRefused | Invalid
PasswordChangeOutcome = Done | BadCredentials | Invalid
UpdateOutcome = Updated | Invalid | EmailTaken | TooManyAttempts | Gone
EmailChangeOutcome = Confirmed | TokenRefused | EmailTaken
ErasureOutcome = Done | BadCredentials
SignUpOutcome = Registered | Accepted | Invalid | EmailTaken | TooManyAttempts | IdempotencyConflict
ConfirmationOutcome = Confirmed | TokenRefused
DisownOutcome = Disowned | TokenRefused
ResendOutcome = Accepted | Invalid | TooManyAttempts

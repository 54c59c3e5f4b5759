"""What a use case answers: facts, never texts; an expected failure is one of these, never an exception."""

from dataclasses import dataclass
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


SignUpOutcome = Registered | Accepted | Invalid | EmailTaken | TooManyAttempts | IdempotencyConflict
ConfirmationOutcome = Confirmed | TokenRefused
DisownOutcome = Disowned | TokenRefused
ResendOutcome = Accepted | Invalid | TooManyAttempts

"""The outcomes of use cases: facts, not texts. An expected failure is one of these, not an exception."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from math import ceil

from registration.customer import Customer


class ViolationCode(StrEnum):
    """Why a value is refused."""

    MISSING = "MISSING"
    BLANK = "BLANK"
    NOT_A_STRING = "NOT_A_STRING"
    TOO_SHORT = "TOO_SHORT"
    TOO_LONG = "TOO_LONG"
    FORBIDDEN_CHARACTER = "FORBIDDEN_CHARACTER"
    NOT_A_CHOICE = "NOT_A_CHOICE"
    NOT_AN_EMAIL = "NOT_AN_EMAIL"
    NOT_TRUE = "NOT_TRUE"
    NOT_A_DATE = "NOT_A_DATE"
    DATE_OUT_OF_RANGE = "DATE_OUT_OF_RANGE"
    PASSWORDS_DIFFER = "PASSWORDS_DIFFER"
    PASSWORD_CHARACTERS = "PASSWORD_CHARACTERS"
    PASSWORD_COMMON = "PASSWORD_COMMON"
    PASSWORD_REPEATS = "PASSWORD_REPEATS"
    PASSWORD_BREACHED = "PASSWORD_BREACHED"
    PASSWORD_WEAK = "PASSWORD_WEAK"


class Stage(IntEnum):
    """The order in which the legacy contract checks (sections 3.3 and 4.3): only the first stage that fails answers."""

    ATTRIBUTE = 1
    TERMS = 2
    AGREEMENT = 3
    PASSWORD = 4
    EMAIL = 5


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule; `attribute` is the public name, lengths are in characters (code points)."""

    attribute: str
    code: ViolationCode
    stage: Stage = Stage.ATTRIBUTE
    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """A customer exists; `confirm_before` is None when no confirmation is asked for.

    The `handle` lets its holder confirm with the code of the mail, and learn that the address was confirmed.
    """

    customer: Customer
    confirm_before: datetime | None
    handle: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Invalid:
    """Every rule the input breaks, in the order of the input's attributes."""

    violations: tuple[Violation, ...]

    @property
    def without_consequences(self) -> tuple[Violation, ...]:
        """As `violations`, but an empty value is only BLANK. The legacy contract tells its length, too."""
        empty = {found.attribute for found in self.violations if found.code is ViolationCode.BLANK}
        return tuple(
            found for found in self.violations if found.code is ViolationCode.BLANK or found.attribute not in empty
        )


@dataclass(frozen=True, slots=True)
class EmailTaken:
    """The address belongs to a customer, or to one whose confirmation is pending."""


@dataclass(frozen=True, slots=True)
class TooManyAttempts:
    """The same thing was tried too often."""

    retry_after_seconds: int

    @classmethod
    def until(cls, ends_at: datetime, now: datetime) -> "TooManyAttempts":
        """The outcome until a moment: whole seconds, at least one."""
        return cls(max(1, ceil((ends_at - now).total_seconds())))


@dataclass(frozen=True, slots=True)
class IdempotencyConflict:
    """The idempotency key was used before with another input."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The customer has proven the address."""

    customer: Customer


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """The key is unknown, used or expired: which of these is not told."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request is accepted; whether the address is known is not told."""


@dataclass(frozen=True, slots=True)
class SignUpAccepted:
    """A sign-up in conceal mode: as `Registered`, but whether a customer came of it is not told."""

    handle: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CodeRefused:
    """The code is wrong, or there is none any more for this handle; so many attempts are left."""

    attempts_left: int


@dataclass(frozen=True, slots=True)
class Disowned:
    """A pending account was erased at the request of the address's owner."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A pair of tokens; the access token lives for `expires_in` seconds."""

    access_token: str = field(repr=False)
    expires_in: int
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BadCredentials:
    """Wrong password, unknown address or erased; in conceal mode also unconfirmed. Which of these is not told."""


@dataclass(frozen=True, slots=True)
class EmailNotConfirmed:
    """The password is right, and the address is not proven yet."""


@dataclass(frozen=True, slots=True)
class RefreshRefused:
    """The refresh token is unknown, used, expired or revoked."""


@dataclass(frozen=True, slots=True)
class SessionUnknown:
    """The caller has no session with this id that has not ended."""


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
    """The customer was erased, or the session ended, after the access token was checked."""


SignInOutcome = Tokens | EmailNotConfirmed | BadCredentials | TooManyAttempts
RefreshOutcome = Tokens | RefreshRefused
EndSessionOutcome = Done | SessionUnknown
ExportRequestOutcome = Accepted | TooManyAttempts | Gone
ResetRequestOutcome = Accepted | Invalid | TooManyAttempts
ResetOutcome = Done | ResetRefused | Invalid
PasswordChangeOutcome = Done | BadCredentials | Invalid | TooManyAttempts
UpdateOutcome = Updated | Invalid | BadCredentials | EmailTaken | TooManyAttempts | Gone
EmailChangeOutcome = Confirmed | TokenRefused | EmailTaken
SecuringOutcome = Done | EmailTaken | TokenRefused
ErasureOutcome = Done | BadCredentials | TooManyAttempts
SignUpOutcome = Registered | SignUpAccepted | Invalid | EmailTaken | TooManyAttempts | IdempotencyConflict
ConfirmationOutcome = Confirmed | TokenRefused
CodeOutcome = Confirmed | CodeRefused
ProofOutcome = ConfirmationOutcome | CodeOutcome | Invalid
DisownOutcome = Disowned | TokenRefused
ResendOutcome = Accepted | Invalid | TooManyAttempts

"""InvalidInputError: every violation at once, so that a customer corrects a form once. It repeats no value."""

import strawberry

from graphql_api.types.domain_enum import domain_enum
from graphql_api.types.messages import MESSAGE, violation_message
from graphql_api.types.user_errors import UserError, UserErrorCode, user_error
from registration.language import Language
from registration.outcomes import Invalid, ViolationCode

DESCRIPTIONS = {
    ViolationCode.MISSING: "The value was not sent.",
    ViolationCode.BLANK: "The value is empty.",
    ViolationCode.NOT_A_STRING: "The value is not a string.",
    ViolationCode.TOO_SHORT: "Fewer characters than `minimum`.",
    ViolationCode.TOO_LONG: "More characters than `maximum`.",
    ViolationCode.FORBIDDEN_CHARACTER: "Contains a control character.",
    ViolationCode.NOT_A_CHOICE: "Not one of the allowed values.",
    ViolationCode.NOT_AN_EMAIL: "Not an e-mail address (RFC 5321, RFC 6531), or none that the shop can write to.",
    ViolationCode.NOT_TRUE: "Must be true.",
    ViolationCode.NOT_A_DATE: "Not a calendar date written YYYY-MM-DD.",
    ViolationCode.DATE_OUT_OF_RANGE: "A date of birth in the future, or before the last 130 years.",
    ViolationCode.PASSWORDS_DIFFER: "Password and confirmation are not the same.",
    ViolationCode.PASSWORD_CHARACTERS: "A class of characters is missing, or a character is not allowed.",
    ViolationCode.PASSWORD_COMMON: "On the list of common passwords.",
    ViolationCode.PASSWORD_REPEATS: "The same character three times in a row.",
    ViolationCode.PASSWORD_BREACHED: "Known from a data breach.",
    ViolationCode.PASSWORD_WEAK: "Too easy to guess: see `minStrength` in registrationPolicy.",
}
domain_enum(
    ViolationCode,
    "Why a value is refused. New codes may be added; treat unknown ones as invalid.",
    {code.name: text for code, text in DESCRIPTIONS.items()},
)


@strawberry.type(description="One rule that the input breaks.")
class Violation:
    path: list[str] = strawberry.field(description='Where in the arguments, for example ["input", "password"].')
    code: ViolationCode = strawberry.field(description="Which rule.")
    message: str = strawberry.field(description=MESSAGE)
    minimum: int | None = strawberry.field(description="For TOO_SHORT: the least number of characters.", default=None)
    maximum: int | None = strawberry.field(description="For TOO_LONG: the largest number of characters.", default=None)


@strawberry.type(description="The input breaks one or more rules; nothing was done.")
class InvalidInputError(UserError):
    CODE = UserErrorCode.INVALID_INPUT
    violations: list[Violation] = strawberry.field(description="All of them, in the order of the input's fields.")


def invalid_input_error(outcome: Invalid, language: Language) -> InvalidInputError:
    return user_error(
        InvalidInputError,
        language,
        violations=[
            Violation(
                path=["input", found.attribute],
                code=found.code,
                message=violation_message(found, language),
                minimum=found.minimum,
                maximum=found.maximum,
            )
            for found in outcome.without_consequences
        ],
    )

"""What each refusal looks like on the legacy wire: one table for broken rules, one for outcomes; it decides nothing.

Texts and codes are wire constants of the contract. Where it has none they are ours: codes 9409, 9429 and 9503, and the
sentences about control characters, types, replays, limits and outages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from registration.rules import Stage, Violation, ViolationCode
from rest_compat.jsonapi import Error

NOT_FOUND = Error(404, "Not Found")
ID_MISSING = Error(400, "Resource id is not specified.")
TWO_IDENTITIES = Error(
    400, "Headers request error. A user can't act as logged and not logged user at the same time.", "005"
)
INVALID_ACCESS_TOKEN = Error(401, "Invalid access token.", "001")
MISSING_ACCESS_TOKEN = Error(403, "Missing access token.", "002")
BODY_LIMIT = 64 * 1024
BODY_TOO_LARGE = Error(413, f"The request body is larger than {BODY_LIMIT} bytes.")
UNAVAILABLE = Error(503, "The service is not available at the moment. Please try again later.", "9503")
CANNOT_REGISTER = Error(500, "Can't register a customer.", "401")
CANNOT_CONFIRM = Error(422, "Failed to confirm a customer.", "425")


def _rule(message: str) -> Error:
    return Error(422, f"{{attribute}} => {message}", "901")


# The stage tells apart what one code means at different depths: an address without the shape of one is a broken rule
# (901), one that only the full grammar refuses is 416. The attribute decides nothing but the name in the text.
VIOLATIONS: Mapping[tuple[Stage, ViolationCode], Error] = {
    (Stage.ATTRIBUTE, ViolationCode.MISSING): _rule("This field is missing."),
    (Stage.ATTRIBUTE, ViolationCode.BLANK): _rule("This value should not be blank."),
    (Stage.ATTRIBUTE, ViolationCode.NOT_A_STRING): _rule("This value should be of type string."),
    (Stage.ATTRIBUTE, ViolationCode.TOO_SHORT): _rule(
        "This value is too short. It should have {minimum} characters or more."
    ),
    (Stage.ATTRIBUTE, ViolationCode.TOO_LONG): _rule(
        "This value is too long. It should have {maximum} characters or less."
    ),
    (Stage.ATTRIBUTE, ViolationCode.FORBIDDEN_CHARACTER): _rule("This value should not contain control characters."),
    (Stage.ATTRIBUTE, ViolationCode.NOT_A_CHOICE): _rule("The value you selected is not a valid choice."),
    (Stage.ATTRIBUTE, ViolationCode.NOT_AN_EMAIL): _rule("This value is not a valid email address."),
    (Stage.ATTRIBUTE, ViolationCode.NOT_TRUE): _rule("This value should be true."),
    (Stage.ATTRIBUTE, ViolationCode.NOT_A_DATE): _rule("This value is not a valid date."),
    (Stage.ATTRIBUTE, ViolationCode.PASSWORD_CHARACTERS): _rule(
        "Your password must include at least one uppercase letter, one lowercase letter, one number, and one special"
        " character from the following list: !@#$%^&*()_-+=[]{{}}|;:<>.,/?\\~."
        " Non-Latin and other special characters are not allowed."
    ),
    (Stage.ATTRIBUTE, ViolationCode.PASSWORD_BREACHED): _rule(
        "This password has been leaked in a data breach, it must not be used. Please use another password."
    ),
    (Stage.TERMS, ViolationCode.NOT_TRUE): Error(400, "Terms and Conditions was not accepted.", "413"),
    (Stage.AGREEMENT, ViolationCode.PASSWORDS_DIFFER): Error(
        422, "Value in field password should be identical to value in the confirmPassword field.", "406"
    ),
    (Stage.PASSWORD, ViolationCode.PASSWORD_COMMON): Error(400, "The password is listed as common.", "422"),
    (Stage.PASSWORD, ViolationCode.PASSWORD_REPEATS): Error(
        400, "The password contains sequence of the same character.", "421"
    ),
    (Stage.EMAIL, ViolationCode.NOT_AN_EMAIL): Error(422, "Invalid Email address format.", "416"),
    (Stage.EMAIL, ViolationCode.TOO_LONG): Error(
        422, "Email is too long. It should have {maximum} characters or less.", "417"
    ),
}

OUTCOMES: Mapping[str, Error] = {
    "EmailTakenError": Error(
        422,
        "If this email address is already in use, you will receive a password reset link."
        " Otherwise you must first validate your e-mail address to finish registration. Please check your e-mail.",
        "400",
    ),
    "ConfirmationTokenError": Error(422, "This email confirmation code is invalid or has been already used.", "423"),
    "IdempotencyConflictError": Error(422, "The idempotency key was used before with another request.", "9409"),
    "TooManyAttemptsError": Error(
        429, "Too many attempts. Please wait {retryAfterSeconds} seconds before trying again.", "9429"
    ),
}


def violation_errors(violations: Sequence[Violation]) -> tuple[Error, ...]:
    """The errors of the lowest stage, all of them, in the order given."""
    lowest = min(violation.stage for violation in violations)
    return tuple(_violation_error(violation) for violation in violations if violation.stage is lowest)


def outcome_error(member: Mapping[str, object], fallback: Error) -> Error:
    """The error for a member of a result union, given as GraphQL answers it."""
    row = OUTCOMES.get(str(member["__typename"]), fallback)
    return replace(row, detail=row.detail.format_map(member))


def unavailable(correlation_id: str | None) -> Error:
    if correlation_id is None:
        return UNAVAILABLE
    return replace(UNAVAILABLE, detail=f"{UNAVAILABLE.detail} (correlation id {correlation_id})")


def read_violations(reported: Sequence[Mapping[str, Any]]) -> list[Violation]:
    """Violations as GraphQL reports them; it names no stage, so the first one that knows the code counts."""
    return [_read_violation(violation) for violation in reported]


def _violation_error(violation: Violation) -> Error:
    row = VIOLATIONS[violation.stage, violation.code]
    detail = row.detail.format(attribute=violation.attribute, minimum=violation.minimum, maximum=violation.maximum)
    return replace(row, detail=detail)


def _read_violation(reported: Mapping[str, Any]) -> Violation:
    code = ViolationCode(reported["code"])
    return Violation(
        attribute=reported["path"][-1],
        code=code,
        stage=min(stage for stage, known in VIOLATIONS if known is code),
        minimum=reported["minimum"],
        maximum=reported["maximum"],
    )

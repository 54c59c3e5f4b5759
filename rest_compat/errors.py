"""What each refusal looks like on the legacy wire: one table for broken rules, one for outcomes.

Texts and codes are wire constants of the contract. Where it has none they are ours: codes 9409, 9429 and 9503, and the
sentences about control characters, types, weak passwords, replays, limits and outages.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from registration.language import Language
from registration.outcomes import Stage, Violation, ViolationCode
from rest_compat.jsonapi import Error

NOT_FOUND = Error(404, "Not Found")
ID_MISSING = Error(400, "Resource id is not specified.")
TWO_IDENTITIES = Error(
    400, "Headers request error. A user can't act as logged and not logged user at the same time.", "005"
)
INVALID_ACCESS_TOKEN = Error(401, "Invalid access token.", "001")
MISSING_ACCESS_TOKEN = Error(403, "Missing access token.", "002")
CUSTOMER_NOT_FOUND = Error(404, "Customer not found.", "402")
UNAUTHORIZED = Error(403, "Unauthorized request.", "411")
BODY_LIMIT = 64 * 1024
BODY_TOO_LARGE = Error(413, f"The request body is larger than {BODY_LIMIT} bytes.")
BODY_ENCODED = Error(415, "The request body must have no Content-Encoding.")
UNAVAILABLE = Error(503, "The service is not available at the moment. Please try again later.", "9503")
RETRY_AFTER = 5
"""Seconds to wait in an outage."""
INTERNAL_ERROR = Error(500, "Internal Server Error")

# In plain text, without a document.
PAGINATION_INVALID = Error(400, "Pagination parameters are invalid.")
UNKNOWN_FORMAT = Error(415, "Unsupported Media Type")
BLANK_CONTENT_TYPE = Error(415, "Unsupported media type.")
PREFLIGHT_REFUSED = Error(403, "Not allowed.")
PREFLIGHT_INCOMPLETE = Error(
    501,
    "One or more of the required headers (access-control-request-method, access-control-request-headers, origin) for"
    " the options method are missing.",
)


def _rule(message: str) -> Error:
    return Error(422, f"{{attribute}} => {message}", "901")


# One code means different things at different stages: an address without the shape of one breaks a rule (901), one that
# only the full grammar refuses is 416. The attribute only gives the name in the text.
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
    (Stage.ATTRIBUTE, ViolationCode.DATE_OUT_OF_RANGE): _rule("This value is not a valid date."),
    (Stage.ATTRIBUTE, ViolationCode.PASSWORD_CHARACTERS): _rule(
        "Your password must include at least one uppercase letter, one lowercase letter, one number, and one special"
        " character from the following list: !@#$%^&*()_-+=[]{{}}|;:<>.,/?\\~."
        " Non-Latin and other special characters are not allowed."
    ),
    (Stage.ATTRIBUTE, ViolationCode.PASSWORD_BREACHED): _rule(
        "This password has been leaked in a data breach, it must not be used. Please use another password."
    ),
    (Stage.ATTRIBUTE, ViolationCode.PASSWORD_WEAK): _rule("This password is too easy to guess."),
    (Stage.TERMS, ViolationCode.NOT_TRUE): Error(400, "Terms and Conditions was not accepted.", "413"),
    (Stage.AGREEMENT, ViolationCode.PASSWORDS_DIFFER): Error(
        422, "Value in field {confirms} should be identical to value in the confirmPassword field.", "406"
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

NOT_SIGNED_IN = Error(401, "Failed to authenticate user.", "003")
CANNOT_CHANGE_PASSWORD = Error(400, "Failed to change password.", "407")
EMAIL_TAKEN = Error(
    422,
    "If this email address is already in use, you will receive a password reset link."
    " Otherwise you must first validate your e-mail address to finish registration. Please check your e-mail.",
    "400",
)
TOO_MANY_ATTEMPTS = Error(
    429, "Too many attempts. Please wait {retryAfterSeconds} seconds before trying again.", "9429"
)
LOCKED_OUT = {
    Language.EN: Error(
        429,
        "Too many log in attempts from your address. Please wait {minutes} minutes before trying again.",
        "4401",
    ),
    Language("de"): Error(429, "Warten Sie bitte {minutes} Minuten, bevor Sie es erneut versuchen.", "4401"),
}


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The errors for the outcomes of one mutation.

    `refusals` are keyed by UserErrorCode, or by the reason where an error gives one. `failure` is for any other.
    """

    failure: Error = INTERNAL_ERROR
    refusals: Mapping[str, Error] = field(default_factory=dict)

    def error(self, member: Mapping[str, object]) -> Error:
        """The error for a UserError of the result union, as GraphQL answers it; needs its `code`."""
        row = self.refusals.get(str(member.get("reason", member["code"])), self.failure)
        return replace(row, detail=row.detail.format_map(member))

    @property
    def errors(self) -> list[Error]:
        return [*self.refusals.values(), self.failure]


OUTCOMES: Mapping[str, Outcomes] = {
    "createCustomer": Outcomes(
        Error(500, "Can't register a customer.", "401"),
        {
            "EMAIL_TAKEN": EMAIL_TAKEN,
            "IDEMPOTENCY_CONFLICT": Error(422, "The idempotency key was used before with another request.", "9409"),
            "TOO_MANY_ATTEMPTS": TOO_MANY_ATTEMPTS,
        },
    ),
    "confirmCustomer": Outcomes(
        Error(422, "Failed to confirm a customer.", "425"),
        dict.fromkeys(
            ("CONFIRMATION_TOKEN", "CONFIRMATION_CODE"),
            Error(422, "This email confirmation code is invalid or has been already used.", "423"),
        ),
    ),
    "me": Outcomes(),
    "updateCustomer": Outcomes(
        Error(400, "Failed to save customer.", "410"),
        {"EMAIL_TAKEN": EMAIL_TAKEN, "TOO_MANY_ATTEMPTS": TOO_MANY_ATTEMPTS},
    ),
    "anonymizeCustomer": Outcomes(),
    "requestPasswordReset": Outcomes(),
    "resetPassword": Outcomes(
        CANNOT_CHANGE_PASSWORD,
        {"UNKNOWN": Error(422, "Restore password key is not valid.", "415"), "EXPIRED": CANNOT_CHANGE_PASSWORD},
    ),
    "changePassword": Outcomes(
        CANNOT_CHANGE_PASSWORD,
        {"BAD_CREDENTIALS": Error(400, "Invalid password", "408"), "TOO_MANY_ATTEMPTS": TOO_MANY_ATTEMPTS},
    ),
    "createAccessToken": Outcomes(
        refusals={
            "BAD_CREDENTIALS": NOT_SIGNED_IN,
            "EMAIL_NOT_CONFIRMED": NOT_SIGNED_IN,
            "TOO_MANY_ATTEMPTS": LOCKED_OUT[Language.EN],
        }
    ),
    "refreshAccessToken": Outcomes(refusals={"REFRESH_TOKEN": Error(401, "Failed to refresh token.", "004")}),
    "revokeRefreshToken": Outcomes(),
}

# The plain OAuth endpoint: the code is the member `error`, the detail `error_description` (RFC 6749, 5.2).
UNKNOWN_GRANT = Error(
    400,
    "The provided authorization grant (e.g., authorization code, resource owner credentials) or refresh token is"
    " invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to"
    " another client.",
    "invalid_grant",
)
MALFORMED_REQUEST = Error(
    400,
    "The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than"
    " once, or is otherwise malformed.",
    "invalid_request",
)
UNKNOWN_CLIENT = Error(400, "Client authentication failed", "invalid_client")
WRONG_CREDENTIALS = Error(400, "The user credentials were incorrect.", "invalid_grant")
PASSWORD_GRANT = Outcomes(
    refusals=dict.fromkeys(("BAD_CREDENTIALS", "EMAIL_NOT_CONFIRMED", "TOO_MANY_ATTEMPTS"), WRONG_CREDENTIALS)
)
REFRESH_GRANT = Outcomes(refusals={"REFRESH_TOKEN": Error(400, "The refresh token is invalid.", "invalid_request")})


def locked_out(language: Language, minutes: int) -> Error:
    """The error of a lockout: the only text of the contract that is translated, and that names a setting."""
    row = LOCKED_OUT.get(language, LOCKED_OUT[Language.EN])
    return replace(row, detail=row.detail.format(minutes=minutes))


def sign_in_outcomes(locked_out: Error) -> Outcomes:
    outcomes = OUTCOMES["createAccessToken"]
    return replace(outcomes, refusals={**outcomes.refusals, "TOO_MANY_ATTEMPTS": locked_out})


def stage_errors(*stages: Stage) -> list[Error]:
    """The errors of these stages for the published description, with gaps in the texts."""
    gaps = {name: f"{{{name}}}" for name in ("attribute", "confirms", "minimum", "maximum")}
    rows = (row for (stage, _), row in VIOLATIONS.items() if stage in stages)
    return [replace(row, detail=row.detail.format_map(gaps)) for row in rows]


def violation_errors(violations: Collection[Violation], confirms: str = "password") -> tuple[Error, ...]:
    """The errors of the lowest stage, all of them, in the order given; `confirms` is what confirmPassword repeats."""
    lowest = min(violation.stage for violation in violations)
    return tuple(_violation_error(violation, confirms) for violation in violations if violation.stage is lowest)


def unavailable(correlation_id: str | None) -> Error:
    if correlation_id is None:
        return UNAVAILABLE
    return replace(UNAVAILABLE, detail=f"{UNAVAILABLE.detail} (correlation id {correlation_id})")


def read_violations(reported: Sequence[Mapping[str, Any]]) -> list[Violation]:
    """Violations that GraphQL reports. GraphQL names no stage, so the lowest stage that has the code counts."""
    return [_read_violation(violation) for violation in reported]


def _violation_error(violation: Violation, confirms: str) -> Error:
    row = VIOLATIONS[violation.stage, violation.code]
    detail = row.detail.format(
        attribute=violation.attribute, confirms=confirms, minimum=violation.minimum, maximum=violation.maximum
    )
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

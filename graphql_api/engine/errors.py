"""Errors as clients see them: a code and a message, without any value. Faults are masked here and logged once."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, TypeAlias

import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from graphql.language import FormattedSourceLocation
from strawberry.exceptions import StrawberryInputCoercionError

from graphql_api.engine.coercion import BadLiteralError, InputViolation, in_words
from graphql_api.engine.limits import Exceeded
from graphql_api.engine.overlaps import MAX_COMPARISONS, TooManyComparisonsError
from graphql_api.server.refresh_cookie import PROOF, ProofMissing
from registration.notes import current_correlation_id, note
from registration.storage.database import Unavailable

PublicError: TypeAlias = dict[str, Any]
"""An entry of `errors` in a response, as the GraphQL specification formats it."""

LONGEST_MESSAGE = 500

UNAVAILABLE = "The service cannot do this at the moment: try again later."
UNAVAILABLE_RETRY_AFTER = 5
"""Seconds that every answer about an outage names."""

log = structlog.get_logger(__name__)


class ErrorCode(StrEnum):
    """Every `extensions.code` of a top-level error."""

    BAD_REQUEST = "BAD_REQUEST"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    INTROSPECTION_DISABLED = "INTROSPECTION_DISABLED"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    DOCUMENT_NOT_TRUSTED = "DOCUMENT_NOT_TRUSTED"
    OPERATION_NAME_REQUIRED = "OPERATION_NAME_REQUIRED"
    OPERATION_NOT_FOUND = "OPERATION_NOT_FOUND"
    MUTATION_NOT_ALLOWED = "MUTATION_NOT_ALLOWED"
    SUBSCRIPTION_NOT_ALLOWED = "SUBSCRIPTION_NOT_ALLOWED"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PREFLIGHT_REQUIRED = "PREFLIGHT_REQUIRED"
    OVERLOADED = "OVERLOADED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL_ERROR = "INTERNAL_ERROR"


class Unauthenticated(Exception):
    """Raised by resolvers of protected fields: the access token is absent, expired, wrong or `revoked`."""

    def __init__(self, *, revoked: bool = False) -> None:
        super().__init__()
        self.revoked = revoked


def public_error(
    code: ErrorCode,
    message: str,
    *,
    locations: Sequence[FormattedSourceLocation] = (),
    path: Sequence[str | int] = (),
    **extensions: object,
) -> PublicError:
    error: PublicError = {"message": message[:LONGEST_MESSAGE]}
    if locations:
        error["locations"] = list(locations)
    if path:
        error["path"] = list(path)
    error["extensions"] = {"code": code, **extensions}
    return error


def syntax_error(error: GraphQLSyntaxError) -> PublicError:
    """The location, and what the parser expected if it says so; what it found instead may be part of a password."""
    expected, found, _ = error.description.partition(", found ")
    if error.description.startswith("Document "):  # Too many tokens or comments, or nested too deeply.
        return public_error(ErrorCode.LIMIT_EXCEEDED, error.description, locations=_locations(error))
    detail = f": {expected}." if found and expected.startswith("Expected ") else "."
    return public_error(ErrorCode.GRAPHQL_PARSE_FAILED, f"Syntax error{detail}", locations=_locations(error))


def limit_exceeded(exceeded: Exceeded) -> PublicError:
    name = exceeded.limit.replace("_", " ")
    return public_error(
        ErrorCode.LIMIT_EXCEEDED, f"The document exceeds the limit of {exceeded.maximum} for {name}.", limit=name
    )


def validation_error(error: GraphQLError) -> PublicError:
    if isinstance(error, TooManyComparisonsError):
        return limit_exceeded(Exceeded("field_comparisons", MAX_COMPARISONS))
    if isinstance(error, BadLiteralError):
        return bad_input(error.violations, _locations(error))
    return public_error(ErrorCode.GRAPHQL_VALIDATION_FAILED, error.message, locations=_locations(error))


def bad_input(violations: list[InputViolation], locations: Sequence[FormattedSourceLocation] = ()) -> PublicError:
    listed = [{"path": list(violation.path), "code": violation.code} for violation in violations]
    return public_error(ErrorCode.BAD_USER_INPUT, in_words(violations), locations=locations, violations=listed)


def overloaded(retry_after: int) -> PublicError:
    message = f"Too many requests at once: try again in {retry_after} s."
    return public_error(ErrorCode.OVERLOADED, message, retryAfterSeconds=retry_after)


def field_error(error: GraphQLError) -> PublicError:
    """An error that execution raised: mistakes of the client get their code, everything else is masked and logged."""
    match error.original_error:
        case Unauthenticated(revoked=revoked):
            reason = {"reason": "REVOKED"} if revoked else {}
            return _field_error(error, ErrorCode.UNAUTHENTICATED, "A valid access token is needed.", **reason)
        case ProofMissing():
            message = f"Where the refresh token travels in a cookie, this needs the header {PROOF}, with any value."
            return _field_error(error, ErrorCode.PREFLIGHT_REQUIRED, message)
        case Unavailable() as outage:
            log.error("graphql.unavailable", exc_info=outage)
            return _field_error(error, ErrorCode.UNAVAILABLE, UNAVAILABLE, correlationId=current_correlation_id())
        case StrawberryInputCoercionError():
            return _field_error(error, ErrorCode.BAD_USER_INPUT, "An argument of this field does not fit its type.")
        case _ if _is_about_arguments(error):
            return _field_error(error, ErrorCode.BAD_USER_INPUT, "An argument of this field does not fit its type.")
        case fault:
            log.error("graphql.internal_error", exc_info=_without_values(fault or error))
            message = "An internal error occurred; its correlation id helps us to find it."
            return _field_error(error, ErrorCode.INTERNAL_ERROR, message, correlationId=current_correlation_id())


def note_errors(errors: Iterable[PublicError]) -> None:
    """Name the codes in the log line of the request, where refused access and broken limits would else not be seen.

    There is at least one error.
    """
    codes = sorted({error["extensions"]["code"] for error in errors})
    note(errors=codes, outcome=codes[0])


def _field_error(error: GraphQLError, code: ErrorCode, message: str, **extensions: object) -> PublicError:
    return public_error(code, message, locations=_locations(error), path=error.path or (), **extensions)


def _is_about_arguments(error: GraphQLError) -> bool:
    """Whether graphql-core could not coerce arguments, for example because a variable with a default is null.

    The class of the exception does not say so; the module that raised it does.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__") == "graphql.execution.values"


def _without_values(fault: Exception) -> Exception:
    """Errors of graphql-core quote values, so only their traceback goes to the log."""
    if isinstance(fault, GraphQLError):
        return RuntimeError("graphql-core could not complete a field").with_traceback(fault.__traceback__)
    return fault


def _locations(error: GraphQLError) -> list[FormattedSourceLocation]:
    return [location.formatted for location in error.locations or ()]

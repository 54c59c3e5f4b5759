"""A GraphQL request, its operation and its outcome; the last two also go to the log line and the metrics.

The notes of the request carry both to the outermost layer.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from graphql import ExecutionResult, GraphQLError, GraphQLResolveInfo
from strawberry.execution import optimized_is_awaitable

from graphql_api.engine.errors import (
    UNAVAILABLE_RETRY_AFTER,
    ErrorCode,
    PublicError,
    field_error,
    note_errors,
    overloaded,
)
from registration.notes import note
from registration.storage.database import Unavailable


@dataclass(frozen=True, slots=True)
class OperationRequest:
    query: str
    variables: Mapping[str, Any] | None = None
    operation_name: str | None = None


class Kind(Enum):
    EXECUTED = "executed"
    REFUSED = "refused"
    """A request error: nothing ran, and the answer has no data."""
    MUTATION_NOT_ALLOWED = "mutation not allowed"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Answer:
    """`errors` are public. `data` is None for everything but EXECUTED and, in part, UNAVAILABLE."""

    kind: Kind
    data: dict[str, Any] | None = None
    errors: list[PublicError] | None = None
    retry_after: int | None = None
    """Seconds; set for OVERLOADED and UNAVAILABLE."""


@lru_cache(64)
def overloaded_answer(seconds: int) -> Answer:
    """What is answered when there is no room, for so many seconds."""
    return Answer(Kind.OVERLOADED, errors=[overloaded(seconds)], retry_after=seconds)


def answer_of(result: ExecutionResult) -> Answer:
    """What graphql-core made of an operation, with public errors."""
    if not result.errors:
        return Answer(Kind.EXECUTED, result.data)
    errors = [field_error(error) for error in result.errors]
    if any(error["extensions"]["code"] is ErrorCode.UNAVAILABLE for error in errors):
        return Answer(Kind.UNAVAILABLE, result.data, errors, retry_after=UNAVAILABLE_RETRY_AFTER)
    return Answer(Kind.EXECUTED, result.data, errors)


async def answers_of(found: Answer | AsyncIterator[ExecutionResult]) -> AsyncIterator[Answer]:
    """The answers to an operation as they come; where the source of a subscription fails, the last one says so.

    Raises Unavailable after it in an outage, because the subscription is not over.
    """
    if isinstance(found, Answer):
        yield found
        return
    try:
        async for result in found:
            yield answer_of(result)
    except Exception as failure:  # graphql-core hands on what a source raises
        error = field_error(GraphQLError("", original_error=failure))
        note_errors([error])
        yield Answer(Kind.REFUSED, errors=[error])
        if isinstance(failure, Unavailable):
            raise


async def noted(value: Any) -> Any:
    """What the root field was resolved to, awaited where it is awaitable; its type, of a union the member, is noted."""
    if optimized_is_awaitable(value):
        value = await value
    definition = getattr(value, "__strawberry_definition__", None)
    note(outcome=definition.name if definition else type(value).__name__)
    return value


def outcomes_noted(resolve: Callable[..., Any], source: object, info: GraphQLResolveInfo[Any], **given: Any) -> Any:
    """A middleware of graphql-core that notes what root fields were resolved to."""
    value = resolve(source, info, **given)
    return value if info.path.prev else noted(value)

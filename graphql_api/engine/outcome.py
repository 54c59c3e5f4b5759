"""What a request was about and what came of it, in the words of the schema: for its log line and the metrics.

structlog's context variables carry both to the outermost layer. They hold no value that a client sent.
"""

from collections.abc import Callable
from typing import Any

from graphql import GraphQLResolveInfo
from strawberry.execution import optimized_is_awaitable
from structlog.contextvars import bind_contextvars


def note_operation(name: str) -> None:
    bind_contextvars(operation=name)


async def noted(value: Any) -> Any:
    """What the root field was resolved to, awaited where it is awaitable; its type, of a union the member, is noted."""
    if optimized_is_awaitable(value):
        value = await value
    definition = getattr(value, "__strawberry_definition__", None)
    bind_contextvars(outcome=definition.name if definition else type(value).__name__)
    return value


def outcomes_noted(resolve: Callable[..., Any], source: object, info: GraphQLResolveInfo[Any], **given: Any) -> Any:
    """A middleware of graphql-core that notes what root fields were resolved to."""
    value = resolve(source, info, **given)
    return value if info.path.prev else noted(value)

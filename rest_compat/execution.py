"""How the shim runs a mutation: through a callable that is given to it; it never sees the schema."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from rest_compat.errors import unavailable
from rest_compat.jsonapi import Error
from rest_compat.resource import Refused


@dataclass(frozen=True, slots=True)
class Reply:
    """A GraphQL answer. `status` is 503 when the gateway is overloaded or the database is gone, else 200.

    `retry_after` is in seconds. Errors are public: they hold no value that was sent.
    """

    data: Mapping[str, Any] | None
    errors: Sequence[Mapping[str, Any]] = ()
    status: int = 200
    retry_after: int | None = None


Execute = Callable[[Request, str, Mapping[str, object]], Awaitable[Reply]]
"""Runs a document (the text) with variables for a request, whose headers say who asks and in which language."""


async def run(
    execute: Execute, request: Request, document: str, given: Mapping[str, object], failure: Error
) -> Mapping[str, Any] | Refused:
    """The member of the result union that a mutation answers its input with; `failure` stands for any other answer."""
    reply = await execute(request, document, {"input": given})
    if reply.status == 503:
        return Refused((unavailable(_correlation_id(reply)),), reply.retry_after)
    if not reply.data:
        return Refused((failure,))
    (member,) = reply.data.values()
    return member  # type: ignore[no-any-return]


def _correlation_id(reply: Reply) -> str | None:
    ids = (error.get("extensions", {}).get("correlationId") for error in reply.errors)
    return next(filter(None, ids), None)

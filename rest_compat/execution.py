"""How the shim runs an operation: through a callable that is given to it; it never sees the schema."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from rest_compat.errors import INVALID_ACCESS_TOKEN, Outcomes, read_violations, unavailable, violation_errors
from rest_compat.resource import Refused, RulesBroken


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
"""Runs a document (the text) with variables for a request, whose headers hold the access token and the language."""


async def run(
    execute: Execute, request: Request, document: str, given: Mapping[str, object], outcomes: Outcomes
) -> Mapping[str, Any] | Refused:
    """The success that a mutation answers its input with; any other answer is told by its row in `outcomes`.

    A member of the result counts as an error where the document selected the `code` of one.
    """
    reply = await execute(request, document, {"input": given})
    member = read(reply, outcomes)
    return member if isinstance(member, Refused) or "code" not in member else _refused(member, outcomes)


async def run_unchecked(
    execute: Execute, request: Request, document: str, given: Mapping[str, object], outcomes: Outcomes
) -> Mapping[str, Any] | Refused | RulesBroken:
    """As `run`, for input whose rules the mutation is the first to look at."""
    reply = await execute(request, document, {"input": given})
    if "BAD_USER_INPUT" in _extensions(reply, "code"):
        return RulesBroken()
    member = read(reply, outcomes)
    if isinstance(member, Refused) or "code" not in member:
        return member
    return RulesBroken() if member["code"] == "INVALID_INPUT" else _refused(member, outcomes)


def read(reply: Reply, outcomes: Outcomes) -> Mapping[str, Any] | Refused:
    """The value of the one field that was asked for."""
    if reply.status == 503:
        return Refused((unavailable(next(_extensions(reply, "correlationId"), None)),), reply.retry_after)
    if "UNAUTHENTICATED" in _extensions(reply, "code"):
        return Refused((INVALID_ACCESS_TOKEN,))
    value = next(iter((reply.data or {}).values()), None)
    return Refused((outcomes.failure,)) if value is None else value


def is_revoked(reply: Reply) -> bool:
    """Whether the access token of the request was good, and a sign-out, a new password or an erasure ended it."""
    return "REVOKED" in _extensions(reply, "reason")


def _refused(member: Mapping[str, Any], outcomes: Outcomes) -> Refused:
    if "violations" in member:
        return Refused(violation_errors(read_violations(member["violations"])))
    return Refused((outcomes.error(member),), member.get("retryAfterSeconds"))


def _extensions(reply: Reply, name: str) -> Iterator[str]:
    return filter(None, (error.get("extensions", {}).get(name) for error in reply.errors))

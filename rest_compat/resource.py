"""A Glue resource: its type, and an operation for each HTTP method."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from starlette.requests import Request

from registration.outcomes import Violation
from rest_compat.attributes import Attribute, Schema
from rest_compat.jsonapi import Error, Item


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed the door: groups 1 to 7 of the contract's order of checks.

    `attributes` are raw JSON: those of the operation that were sent. `caller` is the customer of the access token, as
    GraphQL answers `me`; None without a token. `today` is in UTC.
    """

    request: Request
    id: str | None
    attributes: Mapping[str, object] = field(repr=False)
    caller: Mapping[str, Any] | None = field(repr=False)
    today: date


@dataclass(frozen=True, slots=True)
class Shown:
    """One resource."""

    item: Item


@dataclass(frozen=True, slots=True)
class Listed:
    """A collection."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request is taken, and the answer tells no more: a document with the sent attributes and without an id."""

    attributes: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Done:
    """There is nothing to show."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The status of the answer is that of the last error; `retry_after` is in seconds."""

    errors: tuple[Error, ...]
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class RulesBroken:
    """The mutation did not take the attributes; the rules say why, in the contract's words."""


Answer = Shown | Listed | Accepted | Done | Refused | RulesBroken


def no_rules(_call: Call) -> Sequence[Violation]:
    return ()


async def never_blocked(_request: Request, _attributes: Mapping[str, object]) -> Refused | None:
    return None


@dataclass(frozen=True, slots=True)
class Operation:
    """What a resource does for one method. The door checks requests by it; the published description shows it.

    `status` and `shows` are the status and the attributes of a success. `errors` are those of `rules` and `answer`,
    besides the errors of every operation.
    """

    summary: str
    answer: Callable[[Call], Awaitable[Answer]]
    status: int = 200
    shows: Mapping[str, Schema] = field(default_factory=dict)
    takes: Mapping[str, Attribute] = field(default_factory=dict)
    rules: Callable[[Call], Sequence[Violation]] = no_rules
    rules_first: bool = True
    """False where the mutation looks at the rules itself; then they are asked only where it did not take the input."""
    errors: Sequence[Error] = ()
    blocked: Callable[[Request, Mapping[str, object]], Awaitable[Refused | None]] = never_blocked
    """Group 5 of the order of checks. The door asks only when a later group refuses: `answer` checks it by itself."""
    protected: bool = False
    """Whether it needs an access token."""
    foreign: Error | None = None
    """The error for an id that is not the caller's own; None where any id will do."""
    confirms: str = "password"
    """The attribute that confirmPassword repeats."""
    lists: bool = False
    """Whether its success is a Listed."""
    may_accept: bool = False
    """Whether its success may also be an Accepted."""
    headers: Mapping[str, Schema] = field(default_factory=dict)
    """Request headers that only this operation reads."""


@dataclass(frozen=True, slots=True)
class Resource:
    """`collection` are the operations of the path without an id, `single` of the one with an id, by HTTP method.

    Any other method is answered with 404.
    """

    type: str
    collection: Mapping[str, Operation] = field(default_factory=dict)
    single: Mapping[str, Operation] = field(default_factory=dict)
    id_name: str = "id"

    @property
    def methods(self) -> list[str]:
        return list(dict.fromkeys((*self.collection, *self.single)))

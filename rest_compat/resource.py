"""What a Glue resource is to the door: a type, and what it does for each method; it never writes a document."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from registration.outcomes import Violation
from rest_compat.attributes import Attribute, Schema
from rest_compat.jsonapi import Error, Item


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed the door: groups 1 to 7 of the contract's order of checks.

    `attributes` are raw JSON: those that the operation takes, as far as they were sent. `caller` is the customer whose
    access token came along, as GraphQL shows one.
    """

    request: Request
    id: str | None
    attributes: Mapping[str, object] = field(repr=False)
    caller: Mapping[str, Any] | None = field(repr=False)


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
    """The request is taken, and no more is told: a document with what was sent and without an id."""

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
    """What a resource does for one method. The door checks by it, and the published description shows it.

    `status` is that of its success, `shows` the attributes of what it then shows. `errors` are those that `rules` and
    `answer` can lead to, besides the ones of every operation.
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
    """Group 5 of the order of checks; asked only where a later group refuses, because `answer` knows by itself."""
    protected: bool = False
    """It is never called without a caller."""
    foreign: Error | None = None
    """The answer where the id is not the caller's own; None when any id will do."""
    confirms: str = "password"
    """The attribute that confirmPassword repeats."""
    lists: bool = False
    """Its success is a Listed."""
    may_accept: bool = False
    """Its success may also be an Accepted."""
    headers: Mapping[str, Schema] = field(default_factory=dict)
    """Request headers that only this operation looks at."""


@dataclass(frozen=True, slots=True)
class Resource:
    """`collection` are the operations of the path without an id, `single` of the one with an id, by HTTP method.

    A method that is not there is answered with 404.
    """

    type: str
    collection: Mapping[str, Operation] = field(default_factory=dict)
    single: Mapping[str, Operation] = field(default_factory=dict)
    id_name: str = "id"

    @property
    def methods(self) -> list[str]:
        return list(dict.fromkeys((*self.collection, *self.single)))

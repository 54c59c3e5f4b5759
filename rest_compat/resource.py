"""What a Glue resource is to the door: a type, and what it does for each method; it never writes a document."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request

from rest_compat.jsonapi import Error, Item


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed the door: groups 1 to 7 of the contract's order of checks.

    `caller` is the reference of the customer whose access token came along. `attributes` are raw JSON, empty for GET
    and DELETE.
    """

    request: Request
    id: str | None
    attributes: Mapping[str, object] = field(repr=False)
    caller: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """One resource: what it is after 200 or 201."""

    item: Item
    status: int = 200


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


Answer = Shown | Listed | Accepted | Done | Refused


@dataclass(frozen=True, slots=True)
class Operation:
    """What a resource does for one method; a protected one is never called without a caller."""

    answer: Callable[[Call], Awaitable[Answer]]
    protected: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """`operations` by HTTP method; a method that is not there is answered with 404."""

    type: str
    operations: Mapping[str, Operation]

"""Marks of what a field costs, set where it is defined: the admission and the limits derive from them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, TypeVar

from graphql import GraphQLObjectType, GraphQLSchema

from registration.limits.budgets import Cost

Resolver = TypeVar("Resolver", bound=Callable[..., Any])

MARK = "_costs"
ITEMS = "items"


@dataclass(frozen=True, slots=True)
class FieldCosts:
    """The root fields that hash a password, and how many items each list has, both by the names of fields."""

    hashing: frozenset[str] = frozenset()
    items: Mapping[str, int] = field(default_factory=dict)


def costs(*what: Cost) -> Callable[[Resolver], Resolver]:
    """Mark a resolver with the costs that it causes.

    With HASH its field waits for a hash slot, and a document may have one such field. What the mark names is what the
    use case behind the resolver charges (registration/limits/budgets.py); a field with another mark than HASH can
    answer TooManyAttemptsError, which a test of the schema sees to.
    """

    def mark(resolver: Resolver) -> Resolver:
        setattr(resolver, MARK, frozenset(what))
        return resolver

    return mark


def items(number: int) -> Mapping[str, int]:
    """The metadata of a field that answers with a list: how many items it has, on the average for a list in a list.

    A limit counts what a document selects below the field so many times.
    """
    return {ITEMS: number}


def field_costs(schema: GraphQLSchema) -> FieldCosts:
    # Of two lists with one name the longer counts.
    return FieldCosts(hashing_fields(schema), dict(sorted(_marked_lists(schema), key=itemgetter(1))))


def costs_of(schema: GraphQLSchema) -> Mapping[str, frozenset[Cost]]:
    """The costs of each root field, by name; empty for a field without a mark."""
    roots = filter(None, (schema.query_type, schema.mutation_type))
    fields = (item for root in roots for item in root.fields.items())
    return {name: getattr(_resolver(each), MARK, frozenset()) for name, each in fields}


def hashing_fields(schema: GraphQLSchema) -> frozenset[str]:
    """The names of the root fields that hash a password."""
    return frozenset(name for name, what in costs_of(schema).items() if Cost.HASH in what)


def _marked_lists(schema: GraphQLSchema) -> Iterator[tuple[str, int]]:
    objects = (each for each in schema.type_map.values() if isinstance(each, GraphQLObjectType))
    for name, each in (item for type_ in objects for item in type_.fields.items()):
        if "strawberry-definition" in each.extensions and (number := _definition(each).metadata.get(ITEMS)):
            yield name, number


def _resolver(of_field: Any) -> object:
    """The function behind a field of Strawberry's."""
    resolver = _definition(of_field).base_resolver
    return resolver and resolver.wrapped_func


def _definition(of_field: Any) -> Any:
    return of_field.extensions["strawberry-definition"]

"""Marks of what a field costs, set where its resolver is defined: the admission and the limits derive from them."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from graphql import GraphQLSchema

from registration.limits.budgets import Cost

Resolver = TypeVar("Resolver", bound=Callable[..., Any])

MARK = "_costs"


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


def costs_of(schema: GraphQLSchema) -> Mapping[str, frozenset[Cost]]:
    """The costs of each root field, by name; empty for a field without a mark."""
    roots = filter(None, (schema.query_type, schema.mutation_type))
    fields = (item for root in roots for item in root.fields.items())
    return {name: getattr(_resolver(field), MARK, frozenset()) for name, field in fields}


def hashing_fields(schema: GraphQLSchema) -> frozenset[str]:
    """The names of the root fields that hash a password."""
    return frozenset(name for name, what in costs_of(schema).items() if Cost.HASH in what)


def _resolver(field: Any) -> object:
    """The function behind a field of Strawberry's."""
    resolver = field.extensions["strawberry-definition"].base_resolver
    return resolver and resolver.wrapped_func

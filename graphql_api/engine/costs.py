"""Marks of what a field costs, set where its resolver is defined: the admission and the limits derive from them."""

from collections.abc import Callable
from typing import Any, TypeVar

from graphql import GraphQLSchema

Resolver = TypeVar("Resolver", bound=Callable[..., Any])

MARK = "_hashes_a_password"


def hashes(resolver: Resolver) -> Resolver:
    """Mark a resolver that hashes a password: its field waits for a hash slot, and a document may have one of them."""
    setattr(resolver, MARK, True)
    return resolver


def hashing_fields(schema: GraphQLSchema) -> frozenset[str]:
    """The names of the root fields whose resolvers are marked."""
    roots = filter(None, (schema.query_type, schema.mutation_type))
    fields = (item for root in roots for item in root.fields.items())
    return frozenset(name for name, field in fields if getattr(_resolver(field), MARK, False))


def _resolver(field: Any) -> object:
    """The function behind a field of Strawberry's."""
    resolver = field.extensions["strawberry-definition"].base_resolver
    return resolver and resolver.wrapped_func

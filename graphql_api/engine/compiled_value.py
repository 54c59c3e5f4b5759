"""What compiled input and compiled output share: their exceptions, nullability, lists, and Strawberry's definitions."""

from collections.abc import Callable
from typing import Any, TypeAlias

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLObjectType,
)
from graphql.pyutils import Undefined
from graphql.utilities.coerce_input_value import coerce_default_value

Convert: TypeAlias = Callable[[Any], Any]
"""Converts one value. Raises any exception where graphql-core has to look at the value."""


class NotCompilable(Exception):
    """While compiling: the operation uses a feature that only graphql-core executes."""


class UnfitValue(Exception):
    """While running: graphql-core has to look at a value and say what is wrong with it."""


def required(convert: Convert) -> Convert:
    """For a non-null type."""

    def convert_required(value: Any) -> Any:
        converted = None if value is None else convert(value)
        if converted is None or converted is Undefined:
            raise UnfitValue
        return converted

    return convert_required


def optional(convert: Convert) -> Convert:
    """For a nullable type: null stays null, and no other value may become null."""

    def convert_optional(value: Any) -> Any:
        if value is None:
            return None
        converted = convert(value)
        if converted is None or converted is Undefined:
            raise UnfitValue
        return converted

    return convert_optional


def list_of(convert: Convert) -> Convert:
    def convert_list(values: Any) -> list[Any]:
        if not isinstance(values, list | tuple):  # graphql-core also takes other iterables, and a lone item
            raise UnfitValue
        return [convert(value) for value in values]

    return convert_list


def definition_of(
    element: GraphQLObjectType | GraphQLInputObjectType | GraphQLField | GraphQLArgument | GraphQLInputField,
) -> Any:
    """Strawberry's definition, from which it made this element of the schema."""
    return element.extensions["strawberry-definition"]


def has_default(element: GraphQLArgument | GraphQLInputField) -> bool:
    return coerce_default_value(element) is not Undefined

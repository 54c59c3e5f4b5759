"""Compiled input: functions that read the variables of one operation, made from the types that it declares."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, cast

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLSchema,
    VariableDefinitionNode,
    VariableNode,
    is_enum_type,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
    type_from_ast,
)
from strawberry.types.base import StrawberryMaybe

from graphql_api.engine.compiled_value import (
    NotCompilable,
    UnfitValue,
    definition_of,
    has_default,
    list_of,
    optional,
    required,
)

Read: TypeAlias = Callable[[Any], Any]
"""Converts the JSON value of a variable to what a resolver takes. Raises any exception where the value does not fit."""

Enclosing: TypeAlias = tuple[GraphQLInputObjectType, ...]
"""The input objects around a field: a type that holds itself would be compiled without end."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that the operation declares."""

    name: str
    read: Read
    is_required: bool


class InputField(NamedTuple):
    """A field of an input object; `python_name` is its keyword of the class that Strawberry builds."""

    name: str
    python_name: str
    read: Read
    is_required: bool


def compile_variable(schema: GraphQLSchema, node: VariableDefinitionNode) -> Variable:
    """Raises NotCompilable for a default value and for types that only graphql-core reads."""
    if node.default_value is not None:
        raise NotCompilable
    input_type = cast("GraphQLInputType", type_from_ast(schema, node.type))
    return Variable(node.variable.name.value, _reader(input_type, ()), is_non_null_type(input_type))


def compile_arguments(field: GraphQLField, node: FieldNode) -> dict[str, str]:
    """The names of variables, by the keywords of the resolver. Raises NotCompilable for a literal or a default."""
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    variables = {}
    for name, argument in field.args.items():
        value = given.get(name)
        if has_default(argument) or not isinstance(value, VariableNode | None):
            raise NotCompilable
        if value is not None:
            variables[definition_of(argument).python_name] = value.name.value
    return variables


def _reader(input_type: GraphQLInputType, enclosing: Enclosing) -> Read:
    if is_non_null_type(input_type):
        return required(_value_reader(input_type.of_type, enclosing))
    return optional(_value_reader(input_type, enclosing))


def _value_reader(input_type: GraphQLInputType, enclosing: Enclosing) -> Read:
    if is_list_type(input_type):
        return list_of(_reader(input_type.of_type, enclosing))
    if is_enum_type(input_type):
        return {name: input_type.coerce_input_value(name) for name in input_type.values}.__getitem__
    if is_input_object_type(input_type):
        return _object_reader(input_type, enclosing)
    assert is_leaf_type(input_type)
    return input_type.coerce_input_value


def _object_reader(input_type: GraphQLInputObjectType, enclosing: Enclosing) -> Read:
    _refuse_special_objects(input_type, enclosing)
    fields = [_input_field(name, field, (*enclosing, input_type)) for name, field in input_type.fields.items()]
    build = definition_of(input_type).origin
    names = input_type.fields.keys()

    def read(value: Mapping[str, Any]) -> Any:
        if not value.keys() <= names:
            raise UnfitValue
        values = {}
        for name, python_name, read_field, is_required in fields:
            if name in value:
                values[python_name] = read_field(value[name])
            elif is_required:
                raise UnfitValue
        return build(**values)

    return read


def _refuse_special_objects(input_type: GraphQLInputObjectType, enclosing: Enclosing) -> None:
    is_recursive = input_type in enclosing
    has_special_field = any(has_default(field) or _is_maybe(field) for field in input_type.fields.values())
    if definition_of(input_type).is_one_of or is_recursive or has_special_field:
        raise NotCompilable


def _input_field(name: str, field: GraphQLInputField, enclosing: Enclosing) -> InputField:
    return InputField(
        name, definition_of(field).python_name, _reader(field.type, enclosing), is_required_input_field(field)
    )


def _is_maybe(field: GraphQLInputField) -> bool:
    """Whether Strawberry wraps the value."""
    return isinstance(definition_of(field).type, StrawberryMaybe)

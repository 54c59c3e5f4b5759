"""What is wrong with variables and with literals in a document: path and code of each violation, and no value."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, cast

from graphql import (
    ArgumentNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLLeafType,
    GraphQLSchema,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValidationRule,
    ValueNode,
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
from graphql.pyutils import Undefined
from graphql.utilities import coerce_input_literal, coerce_input_value

MOST_VIOLATIONS = 50
LONGEST_NAME = 100


class InputCode(StrEnum):
    MISSING = "MISSING"
    NOT_A_STRING = "NOT_A_STRING"
    NOT_A_CHOICE = "NOT_A_CHOICE"
    NOT_A_BOOLEAN = "NOT_A_BOOLEAN"
    NOT_A_DATE = "NOT_A_DATE"
    NOT_AN_OBJECT = "NOT_AN_OBJECT"
    UNKNOWN_FIELD = "UNKNOWN_FIELD"
    WRONG_TYPE = "WRONG_TYPE"


_CODE_OF_SCALAR = {
    "String": InputCode.NOT_A_STRING,
    "ID": InputCode.NOT_A_STRING,
    "Boolean": InputCode.NOT_A_BOOLEAN,
    "Date": InputCode.NOT_A_DATE,
}


@dataclass(frozen=True, slots=True)
class InputViolation:
    """`path` starts with the name of the variable or argument; list indexes are strings."""

    path: tuple[str, ...]
    code: InputCode


def variable_violations(
    schema: GraphQLSchema, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> list[InputViolation]:
    """Every reason why variables cannot be coerced, at most fifty, for an operation that has passed validation."""
    found = (
        violation for node in operation.variable_definitions or () for violation in _variable(schema, node, variables)
    )
    return list(islice(found, MOST_VIOLATIONS))


def _variable(
    schema: GraphQLSchema, node: VariableDefinitionNode, variables: Mapping[str, Any]
) -> Iterable[InputViolation]:
    name = node.variable.name.value
    if name not in variables and node.default_value is not None:
        return ()
    input_type = cast("GraphQLInputType", type_from_ast(schema, node.type))
    return _violations(variables.get(name), input_type, (name,))


class LiteralsOfCorrectType(ValidationRule):
    """Replaces graphql-core's ValuesOfCorrectTypeRule, whose messages quote values, such as passwords."""

    def enter_argument(self, node: ArgumentNode, *_: object) -> None:
        self._check(node.name.value, node.value)

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: object) -> None:
        if node.default_value is not None:
            self._check(node.variable.name.value, node.default_value)

    def _check(self, name: str, literal: ValueNode) -> None:
        input_type = self.context.get_input_type()
        if input_type is None:  # An unknown argument, which another rule reports.
            return
        violations = list(islice(_violations(_unwrapped(literal), input_type, (name,)), MOST_VIOLATIONS))
        if violations:
            self.report_error(BadLiteralError(literal, violations))


class BadLiteralError(GraphQLError):
    """A literal in the document that does not fit its type; carries the violations."""

    def __init__(self, literal: ValueNode, violations: list[InputViolation]) -> None:
        super().__init__(in_words(violations), literal)
        self.violations = violations


def in_words(violations: list[InputViolation]) -> str:
    return "Invalid input: " + ", ".join(f"{'.'.join(item.path)} {item.code}" for item in violations) + "."


def _unwrapped(literal: ValueNode) -> Any:
    """The shape of a literal as JSON would have it; leaves stay nodes."""
    match literal:
        case NullValueNode():
            return None
        case ListValueNode():
            return [_unwrapped(item) for item in literal.values]
        case ObjectValueNode():
            return {field.name.value: _unwrapped(field.value) for field in literal.fields}
        case _:
            return literal


def _violations(value: Any, input_type: GraphQLInputType, path: tuple[str, ...]) -> Iterator[InputViolation]:
    if is_non_null_type(input_type):
        input_type = input_type.of_type
        if value is None:
            yield InputViolation(path, InputCode.MISSING)
    if value is None or isinstance(value, VariableNode):
        return
    if is_list_type(input_type):
        yield from _in_list(value, input_type.of_type, path)
    elif is_input_object_type(input_type):
        yield from _in_object(value, input_type, path)
    elif is_leaf_type(input_type) and not _fits(value, input_type):
        yield InputViolation(path, _code(input_type))


def _in_list(value: Any, item_type: GraphQLInputType, path: tuple[str, ...]) -> Iterator[InputViolation]:
    if not isinstance(value, list):  # GraphQL reads a single item as a list of one.
        yield from _violations(value, item_type, path)
        return
    for index, item in enumerate(value):
        yield from _violations(item, item_type, (*path, str(index)))


def _in_object(value: Any, input_type: GraphQLInputObjectType, path: tuple[str, ...]) -> Iterator[InputViolation]:
    if not isinstance(value, dict):
        yield InputViolation(path, InputCode.NOT_AN_OBJECT)
        return
    for name, field in input_type.fields.items():
        if name in value:
            yield from _violations(value[name], field.type, (*path, name))
        elif is_required_input_field(field):
            yield InputViolation((*path, name), InputCode.MISSING)
    for name in value:
        if name not in input_type.fields:
            yield InputViolation((*path, name[:LONGEST_NAME]), InputCode.UNKNOWN_FIELD)


def _code(leaf_type: GraphQLLeafType) -> InputCode:
    if is_enum_type(leaf_type):
        return InputCode.NOT_A_CHOICE
    return _CODE_OF_SCALAR.get(leaf_type.name, InputCode.WRONG_TYPE)


def _fits(value: Any, leaf_type: GraphQLLeafType) -> bool:
    if is_enum_type(leaf_type) and not isinstance(value, ValueNode):
        return isinstance(value, str) and value in leaf_type.values  # graphql-core looks for similar names
    coerce = coerce_input_literal if isinstance(value, ValueNode) else coerce_input_value
    return coerce(value, leaf_type) is not Undefined

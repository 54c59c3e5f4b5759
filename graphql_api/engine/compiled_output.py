"""Compiled output: functions that turn what a resolver returned into JSON, made from the selections of a document."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionNode,
    is_abstract_type,
    is_enum_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from strawberry.types.field import StrawberryField

from graphql_api.engine.compiled_value import NotCompilable, definition_of, list_of, optional, required

Serialize: TypeAlias = Callable[[Any], Any]
"""Converts what a resolver returned to JSON. Raises any exception where graphql-core has to look at the value."""


class OutputField(NamedTuple):
    """A selected field of an object: its name in the answer, and how its value is found and serialized."""

    response_name: str
    get: Callable[[Any], Any]
    serialize: Serialize


class OutputCompiler:
    """Compiles the selections of one document; `fragments` are those of the document, by name."""

    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._schema = schema
        self._fragments = fragments

    def fields(self, parent: GraphQLObjectType, selections: Iterable[SelectionNode]) -> dict[str, list[FieldNode]]:
        """The fields selected of an object, by their names in the answer; several fields of one name are one field."""
        found: dict[str, list[FieldNode]] = {}
        for node in self._flatten(parent, selections):
            found.setdefault((node.alias or node.name).value, []).append(node)
        return found

    def serializer(self, output_type: GraphQLOutputType, nodes: list[FieldNode]) -> Serialize:
        """Raises NotCompilable for directives and for fields with a resolver, a permission or an extension."""
        if is_non_null_type(output_type):
            return required(self._value_serializer(output_type.of_type, nodes))
        return optional(self._value_serializer(output_type, nodes))

    def _flatten(self, parent: GraphQLObjectType, selections: Iterable[SelectionNode]) -> Iterator[FieldNode]:
        for node in selections:
            refuse_directives(node)
            match node:
                case FieldNode():
                    yield node
                case FragmentSpreadNode():
                    yield from self._flatten_fragment(parent, self._fragments[node.name.value])
                case InlineFragmentNode():  # pragma: no branch (the grammar has no fourth kind of selection)
                    yield from self._flatten_fragment(parent, node)

    def _flatten_fragment(
        self, parent: GraphQLObjectType, node: FragmentDefinitionNode | InlineFragmentNode
    ) -> Iterator[FieldNode]:
        refuse_directives(node)
        if node.type_condition is None or self._applies(node.type_condition.name.value, parent):
            yield from self._flatten(parent, node.selection_set.selections)

    def _applies(self, type_condition: str, parent: GraphQLObjectType) -> bool:
        wanted = self._schema.type_map[type_condition]
        return wanted is parent or (is_abstract_type(wanted) and self._schema.is_sub_type(wanted, parent))

    def _value_serializer(self, output_type: GraphQLOutputType, nodes: list[FieldNode]) -> Serialize:
        if is_list_type(output_type):
            return list_of(self.serializer(output_type.of_type, nodes))
        if is_enum_type(output_type):
            return _names_of_members(output_type).__getitem__
        if is_leaf_type(output_type):
            return output_type.coerce_output_value
        types = self._schema.get_possible_types(output_type) if is_abstract_type(output_type) else [output_type]
        by_class = dict(self._object_serializer(cast("GraphQLObjectType", each), nodes) for each in types)
        return lambda value: by_class[type(value)](value)

    def _object_serializer(self, object_type: GraphQLObjectType, nodes: list[FieldNode]) -> tuple[type, Serialize]:
        """The class whose instances are serialized as this type, and how."""
        selections = [each for node in nodes if node.selection_set for each in node.selection_set.selections]
        fields = [
            self._output_field(object_type, response_name, field_nodes)
            for response_name, field_nodes in self.fields(object_type, selections).items()
        ]

        def serialize(value: object) -> dict[str, Any]:
            return {name: serialize_field(get(value)) for name, get, serialize_field in fields}

        return definition_of(object_type).origin, serialize

    def _output_field(self, parent: GraphQLObjectType, response_name: str, nodes: list[FieldNode]) -> OutputField:
        name = nodes[0].name.value
        if name == "__typename":
            return OutputField(response_name, type, lambda _: parent.name)
        field = parent.fields[name]
        definition = definition_of(field)
        if definition.base_resolver or is_extended(definition):
            raise NotCompilable
        return OutputField(response_name, attrgetter(definition.python_name), self.serializer(field.type, nodes))


def refuse_directives(node: Any) -> None:
    if node.directives:
        raise NotCompilable


def is_extended(field: StrawberryField) -> bool:
    """Whether Strawberry runs code around the resolver."""
    return bool(field.extensions or field.permission_classes)


def _names_of_members(enum: GraphQLEnumType) -> dict[Any, str]:
    """The names of an enum's values, by its members in Python."""
    return {member: enum.coerce_output_value(member) for member in enum.wrapped_cls}  # type: ignore[attr-defined]

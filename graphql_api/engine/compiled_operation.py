"""A short cut through graphql-core for the usual operation, made when its document is first read; it decides nothing.

What an operation selects, and how its types are read and shown, is known before it runs: here it becomes functions.
Where the short cut does not lead, graphql-core goes the whole way: for a value that does not fit, a resolver that
raises, a null where none may be, and for documents with more than one field to resolve, directives, arguments that are
no variables, and introspection. So graphql-core alone says what is an error, and in which words.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, TypeAlias, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    VariableDefinitionNode,
    VariableNode,
    is_abstract_type,
    is_enum_type,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
    type_from_ast,
)
from graphql.execution.values import VariableValues
from graphql.pyutils import Path, Undefined
from graphql.utilities.coerce_input_value import coerce_default_value
from strawberry import Info
from strawberry.types.base import StrawberryMaybe
from strawberry.types.field import StrawberryField

Read: TypeAlias = Callable[[Any], Any]
"""Turns a value of a variable into what resolvers take. Raises anything where graphql-core has to look at the value."""

Show: TypeAlias = Callable[[Any], Any]
"""Turns what a resolver returned into what is answered. Raises anything where graphql-core has to look at it."""


class NoPlanError(Exception):
    """The operation has something for which there is no short cut."""


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    read: Read
    is_required: bool


@dataclass(frozen=True, slots=True)
class Root:
    """The one field that has a resolver; `arguments` are the names of variables by the names that the resolver has."""

    response_name: str
    field: StrawberryField
    call: Callable[..., Any]
    info_name: str | None
    arguments: Mapping[str, str]
    show: Show
    info: GraphQLResolveInfo[Any]

    def resolve(self, variables: Mapping[str, Any], context: object) -> Any:
        """Call the resolver; what it returns may have to be awaited."""
        arguments = {name: variables[given] for name, given in self.arguments.items() if given in variables}
        if self.info_name:
            raw = self.info._replace(context=context, variable_values=VariableValues({}, dict(variables)))
            arguments[self.info_name] = Info(_raw_info=raw, _field=self.field)
        return self.call(**arguments)


@dataclass(frozen=True, slots=True)
class Plan:
    """An operation; `data` is its answer but for what the root field has to add, in the order of the document."""

    variables: tuple[Variable, ...]
    data: Mapping[str, Any]
    root: Root | None

    def read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The variables as resolvers take them. Raises anything where graphql-core has to look at them."""
        values = {}
        for variable in self.variables:
            if variable.name in given:
                values[variable.name] = variable.read(given[variable.name])
            elif variable.is_required:
                raise NoPlanError
        return values

    def show(self, root: Root, value: object) -> dict[str, Any]:
        """The answer. Raises anything where graphql-core has to look at the value."""
        return {**self.data, root.response_name: root.show(value)}


def plan(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> Plan | None:
    """The short cut for an operation of a valid document, if there is one."""
    try:
        return Planner(schema, document).operation(operation)
    except NoPlanError:
        return None


class Planner:
    """Makes plans for the operations of one document."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        definitions = document.definitions
        self._fragments = {node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)}

    def operation(self, node: OperationDefinitionNode) -> Plan:
        _refuse_directives(node)
        root_type = self._schema.get_root_type(node.operation)
        if root_type is None:  # pragma: no cover (validation refuses such an operation)
            raise NoPlanError
        fields = self._fields(root_type, node.selection_set.selections)
        roots = [name for name, nodes in fields.items() if nodes[0].name.value != "__typename"]
        if len(roots) > 1:
            raise NoPlanError
        return Plan(
            variables=tuple(map(self._variable, node.variable_definitions or ())),
            data=dict.fromkeys(fields, root_type.name),
            root=self._root(root_type, roots[0], fields[roots[0]], node) if roots else None,
        )

    def _variable(self, node: VariableDefinitionNode) -> Variable:
        if node.default_value is not None:
            raise NoPlanError
        input_type = cast("GraphQLInputType", type_from_ast(self._schema, node.type))
        return Variable(node.variable.name.value, _reader(input_type), is_non_null_type(input_type))

    def _root(
        self, parent: GraphQLObjectType, response_name: str, nodes: list[FieldNode], operation: OperationDefinitionNode
    ) -> Root:
        field = parent.fields.get(nodes[0].name.value)
        if field is None:  # introspection
            raise NoPlanError
        definition = _definition(field)
        resolver = definition.base_resolver
        if resolver is None or resolver.parent_parameter or resolver.root_parameter or _is_extended(definition):
            raise NoPlanError
        info = GraphQLResolveInfo(
            field_name=nodes[0].name.value,
            field_nodes=nodes,
            return_type=field.type,
            parent_type=parent,
            path=Path(None, response_name, parent.name),
            schema=self._schema,
            fragments=self._fragments,
            root_value=None,
            operation=operation,
            variable_values=VariableValues({}, {}),
            context=None,
            is_awaitable=None,  # type: ignore[arg-type] # only for resolvers that run graphql-core themselves
            abort_signal=None,
            async_helpers=None,  # type: ignore[arg-type] # as above
        )
        return Root(
            response_name=response_name,
            field=definition,
            call=partial(resolver.wrapped_func, None) if resolver.self_parameter else resolver.wrapped_func,
            info_name=resolver.info_parameter.name if resolver.info_parameter else None,
            arguments=_arguments(field, nodes[0]),
            show=self._shower(field.type, nodes),
            info=info,
        )

    def _fields(self, of: GraphQLObjectType, selections: Iterable[SelectionNode]) -> dict[str, list[FieldNode]]:
        """What is selected of a type, by the name in the answer; several fields of one name are one field."""
        found: dict[str, list[FieldNode]] = {}
        for node in self._flat(of, selections):
            found.setdefault((node.alias or node.name).value, []).append(node)
        return found

    def _flat(self, of: GraphQLObjectType, selections: Iterable[SelectionNode]) -> Iterator[FieldNode]:
        for node in selections:
            _refuse_directives(node)
            match node:
                case FieldNode():
                    yield node
                case FragmentSpreadNode():
                    yield from self._flat_fragment(of, self._fragments[node.name.value])
                case InlineFragmentNode():  # pragma: no branch (the grammar has no fourth kind of selection)
                    yield from self._flat_fragment(of, node)

    def _flat_fragment(
        self, of: GraphQLObjectType, node: FragmentDefinitionNode | InlineFragmentNode
    ) -> Iterator[FieldNode]:
        _refuse_directives(node)
        if node.type_condition is None or self._is_a(of, node.type_condition.name.value):
            yield from self._flat(of, node.selection_set.selections)

    def _is_a(self, of: GraphQLObjectType, name: str) -> bool:
        wanted = self._schema.type_map[name]
        return wanted is of or (is_abstract_type(wanted) and self._schema.is_sub_type(wanted, of))

    def _shower(self, output_type: GraphQLOutputType, nodes: list[FieldNode]) -> Show:
        if is_non_null_type(output_type):
            return _required(self._shower_of_value(output_type.of_type, nodes))
        return _optional(self._shower_of_value(output_type, nodes))

    def _shower_of_value(self, output_type: GraphQLOutputType, nodes: list[FieldNode]) -> Show:
        if is_list_type(output_type):
            return _list_of(self._shower(output_type.of_type, nodes))
        if is_enum_type(output_type):
            return _members(output_type).__getitem__
        if is_leaf_type(output_type):
            return output_type.coerce_output_value
        types = self._schema.get_possible_types(output_type) if is_abstract_type(output_type) else [output_type]
        by_class = dict(self._object(cast("GraphQLObjectType", each), nodes) for each in types)
        return lambda value: by_class[type(value)](value)

    def _object(self, of: GraphQLObjectType, nodes: list[FieldNode]) -> tuple[type, Show]:
        """The class whose instances are shown as this type, and how; its fields are attributes of them."""
        selections = [each for node in nodes if node.selection_set for each in node.selection_set.selections]
        fields = [
            (name, *self._attribute(of, field_nodes)) for name, field_nodes in self._fields(of, selections).items()
        ]

        def show(value: object) -> dict[str, Any]:
            return {name: show_field(get(value)) for name, get, show_field in fields}

        return _definition(of).origin, show

    def _attribute(self, of: GraphQLObjectType, nodes: list[FieldNode]) -> tuple[Callable[[Any], Any], Show]:
        name = nodes[0].name.value
        if name == "__typename":
            return type, lambda _: of.name
        field = of.fields[name]
        definition = _definition(field)
        if definition.base_resolver or _is_extended(definition):
            raise NoPlanError
        return attrgetter(definition.python_name), self._shower(field.type, nodes)


def _refuse_directives(node: Any) -> None:
    if node.directives:
        raise NoPlanError


def _arguments(field: GraphQLField, node: FieldNode) -> dict[str, str]:
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    names = {}
    for name, argument in field.args.items():
        value = given.get(name)
        if _has_default(argument) or not isinstance(value, VariableNode | None):
            raise NoPlanError
        if value is not None:
            names[_definition(argument).python_name] = value.name.value
    return names


def _has_default(argument: GraphQLArgument | GraphQLInputField) -> bool:
    return coerce_default_value(argument) is not Undefined


def _reader(input_type: GraphQLInputType, within: tuple[GraphQLInputObjectType, ...] = ()) -> Read:
    if is_non_null_type(input_type):
        return _required(_reader_of_value(input_type.of_type, within))
    return _optional(_reader_of_value(input_type, within))


def _reader_of_value(input_type: GraphQLInputType, within: tuple[GraphQLInputObjectType, ...]) -> Read:
    if is_list_type(input_type):
        return _list_of(_reader(input_type.of_type, within))
    if is_enum_type(input_type):
        return {name: input_type.coerce_input_value(name) for name in input_type.values}.__getitem__
    if is_input_object_type(input_type):
        return _object_reader(input_type, within)
    assert is_leaf_type(input_type)
    return input_type.coerce_input_value


def _object_reader(of: GraphQLInputObjectType, within: tuple[GraphQLInputObjectType, ...]) -> Read:
    if (
        _definition(of).is_one_of
        or of in within
        or any(_has_default(field) or _is_maybe(field) for field in of.fields.values())
    ):
        raise NoPlanError
    fields = [
        (name, _definition(field).python_name, _reader(field.type, (*within, of)), is_required_input_field(field))
        for name, field in of.fields.items()
    ]
    build = _definition(of).origin
    names = of.fields.keys()

    def read(value: Mapping[str, Any]) -> Any:
        if not value.keys() <= names:
            raise NoPlanError
        values = {}
        for name, python_name, read_field, is_required in fields:
            if name in value:
                values[python_name] = read_field(value[name])
            elif is_required:
                raise NoPlanError
        return build(**values)

    return read


def _required(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        converted = None if value is None else inner(value)
        if converted is None or converted is Undefined:
            raise NoPlanError
        return converted

    return convert


def _optional(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    required = _required(inner)
    return lambda value: None if value is None else required(value)


def _list_of(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def convert(values: Any) -> list[Any]:
        if not isinstance(values, list | tuple):  # graphql-core also takes other iterables, and a lone item
            raise NoPlanError
        return [inner(value) for value in values]

    return convert


def _members(enum: GraphQLEnumType) -> dict[Any, str]:
    """The names of an enum's values, by its members in Python."""
    return {member: enum.coerce_output_value(member) for member in enum.wrapped_cls}  # type: ignore[attr-defined]


def _definition(
    of: GraphQLObjectType | GraphQLInputObjectType | GraphQLField | GraphQLArgument | GraphQLInputField,
) -> Any:
    """What Strawberry made it from."""
    return of.extensions["strawberry-definition"]


def _is_extended(field: StrawberryField) -> bool:
    return bool(field.extensions or field.permission_classes)


def _is_maybe(field: GraphQLInputField) -> bool:
    """Whether Strawberry wraps the value."""
    return isinstance(_definition(field).type, StrawberryMaybe)

"""A compiled operation: the usual operation as functions, made once when its document is first read.

What an operation selects, and how its types are read and serialized, is known before it runs. graphql-core executes
what is not compiled: documents with more than one field to resolve, directives, arguments that are not variables, and
introspection. It also takes over where a value does not fit, a resolver raises, or a null stands where none may. So
graphql-core alone decides what is an error, and in which words.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLResolveInfoHelpers,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.execution.values import VariableValues
from graphql.pyutils import Path, gather_with_cancel, is_awaitable
from strawberry import Info
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from graphql_api.engine.compiled_input import Variable, compile_arguments, compile_variable
from graphql_api.engine.compiled_output import OutputCompiler, Serialize, is_extended, refuse_directives
from graphql_api.engine.compiled_value import NotCompilable, UnfitValue, definition_of


@dataclass(frozen=True, slots=True)
class RootField:
    """The one field that has a resolver; `arguments` are the names of variables, by the keywords of the resolver."""

    response_name: str
    field: StrawberryField
    call: Callable[..., Any]
    info_name: str | None
    arguments: Mapping[str, str]
    serialize: Serialize
    info: GraphQLResolveInfo[Any]
    """Without context and variables, which `resolve` adds."""

    def resolve(self, variables: Mapping[str, Any], context: object) -> Any:
        """Call the resolver. The caller has to await what it returns, if it is awaitable."""
        arguments = {name: variables[given] for name, given in self.arguments.items() if given in variables}
        if self.info_name:
            raw = self.info._replace(context=context, variable_values=VariableValues({}, dict(variables)))
            arguments[self.info_name] = Info(_raw_info=raw, _field=self.field)
        return self.call(**arguments)


@dataclass(frozen=True, slots=True)
class CompiledOperation:
    """`data` holds every name of the answer in the order of the document; `root` is None where all are __typename."""

    variables: tuple[Variable, ...]
    data: Mapping[str, Any]
    root: RootField | None

    def read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The variables as resolvers take them. Raises any exception where graphql-core has to look at them."""
        values = {}
        for variable in self.variables:
            if variable.name in given:
                values[variable.name] = variable.read(given[variable.name])
            elif variable.is_required:
                raise UnfitValue
        return values

    def serialize(self, root: RootField, value: object) -> dict[str, Any]:
        """The data of the answer. Raises any exception where graphql-core has to look at the value."""
        return {**self.data, root.response_name: root.serialize(value)}


def compile_operation(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode
) -> CompiledOperation | None:
    """Compile an operation of a valid document; None for one that graphql-core has to execute."""
    try:
        return _Compiler(schema, document, operation).compile()
    except NotCompilable:
        return None


class _Compiler:
    """Compiles one operation. Its methods raise NotCompilable."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._operation = operation
        definitions = document.definitions
        self._fragments = {node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)}
        self._output = OutputCompiler(schema, self._fragments)

    def compile(self) -> CompiledOperation:
        refuse_directives(self._operation)
        root_type = self._schema.get_root_type(self._operation.operation)
        if root_type is None:  # pragma: no cover (validation refuses such an operation)
            raise NotCompilable
        fields = self._output.fields(root_type, self._operation.selection_set.selections)
        resolved = [name for name, nodes in fields.items() if nodes[0].name.value != "__typename"]
        if len(resolved) > 1:
            raise NotCompilable
        variables = self._operation.variable_definitions or ()
        return CompiledOperation(
            variables=tuple(compile_variable(self._schema, node) for node in variables),
            data=dict.fromkeys(fields, root_type.name),
            root=self._root_field(root_type, resolved[0], fields[resolved[0]]) if resolved else None,
        )

    def _root_field(self, parent: GraphQLObjectType, response_name: str, nodes: list[FieldNode]) -> RootField:
        field = parent.fields.get(nodes[0].name.value)
        if field is None:  # introspection
            raise NotCompilable
        resolver = _plain_resolver(definition_of(field))
        return RootField(
            response_name=response_name,
            field=definition_of(field),
            call=_function(resolver),
            info_name=resolver.info_parameter.name if resolver.info_parameter else None,
            arguments=compile_arguments(field, nodes[0]),
            serialize=self._output.serializer(field.type, nodes),
            info=self._resolve_info(parent, field, response_name, nodes),
        )

    def _resolve_info(
        self, parent: GraphQLObjectType, field: GraphQLField, response_name: str, nodes: list[FieldNode]
    ) -> GraphQLResolveInfo[Any]:
        return GraphQLResolveInfo(
            field_name=nodes[0].name.value,
            field_nodes=nodes,
            return_type=field.type,
            parent_type=parent,
            path=Path(None, response_name, parent.name),
            schema=self._schema,
            fragments=self._fragments,
            root_value=None,
            operation=self._operation,
            variable_values=VariableValues({}, {}),
            context=None,
            is_awaitable=is_awaitable,
            abort_signal=None,
            async_helpers=_ASYNC_HELPERS,
        )


def _plain_resolver(field: StrawberryField) -> StrawberryResolver[Any]:
    """Raises NotCompilable where Strawberry does more than to call a resolver with info and arguments."""
    resolver = field.base_resolver
    if resolver is None or resolver.parent_parameter or resolver.root_parameter or is_extended(field):
        raise NotCompilable
    return resolver


def _function(resolver: StrawberryResolver[Any]) -> Callable[..., Any]:
    function = cast("Callable[..., Any]", resolver.wrapped_func)
    return partial(function, None) if resolver.self_parameter else function


# Nothing waits for tracked work: the answer is complete when the resolver has returned.
_ASYNC_HELPERS = GraphQLResolveInfoHelpers(
    gather=lambda values: gather_with_cancel(*values), track=lambda _values: None
)

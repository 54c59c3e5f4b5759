"""The operator schema: as committed, fully described, and every field marked with the scope that it needs."""

from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    OperationDefinitionNode,
    parse,
)

from graphql_api.engine.compiled_operation import compile_operation
from graphql_api.operators.context import scopes_of
from graphql_api.operators.errors import ERRORS, OperatorErrorCode
from graphql_api.operators.schema import print_schema, schema
from registration.support.actions import ActionOutcome
from registration.support.tokens import Scope

COMMITTED = Path(__file__).parents[3] / "operator.graphql"
TYPES = {name: each for name, each in schema._schema.type_map.items() if not name.startswith("__")}
UNIONS = [each for each in TYPES.values() if isinstance(each, GraphQLUnionType)]
FIELDS = {
    name: field
    for root in (schema._schema.query_type, schema._schema.mutation_type)
    for name, field in (root.fields.items() if root else ())
}


def test_the_committed_file_is_what_the_code_says() -> None:
    """operator.graphql is the schema of the code; `make schema` writes it."""
    assert COMMITTED.read_text("utf-8") == print_schema()


def test_every_field_names_its_scope() -> None:
    """Each root field is marked with the scope that it needs, says so, and can answer that the token is not for it."""
    scopes = scopes_of(schema._schema)
    assert scopes.keys() == FIELDS.keys()
    assert [name for name, scope in scopes.items() if scope is None] == []
    for name, field in FIELDS.items():
        scope = scopes[name]
        assert scope
        assert f"Scope {scope.name}." in (field.description or "")
        union = field.type.of_type
        assert isinstance(union, GraphQLUnionType)
        assert "NotAllowedError" in {member.name for member in union.types}


def test_what_ends_for_ever_and_what_tells_all_is_not_for_every_token() -> None:
    """Looking needs READ, erasing alone needs ERASE, and everything else SUPPORT."""
    scopes = scopes_of(schema._schema)
    assert {name for name, scope in scopes.items() if scope is Scope.READ} == {"find", "show"}
    assert {name for name, scope in scopes.items() if scope is Scope.ERASE} == {"erase"}


def test_errors_are_members_of_one_interface() -> None:
    """Each member of a union is a success or an error with a code of its name; each answer of the domain has one."""
    errors = {member for union in UNIONS for member in union.types if member.name.endswith("Error")}
    interface = TYPES["OperatorError"]
    for member in {member for union in UNIONS for member in union.types}:
        assert (interface in member.interfaces) == (member in errors), member
    assert {f"{code.name.title().replace('_', '')}Error" for code in OperatorErrorCode} == {
        each.name for each in errors
    }
    assert ERRORS.keys() == set(ActionOutcome) - {ActionOutcome.DONE}
    acts = TYPES["ActResult"]
    assert isinstance(acts, GraphQLUnionType)
    assert {kind.__name__ for kind in ERRORS.values()} <= {member.name for member in acts.types}


def test_a_search_is_compiled() -> None:
    """A search has nothing that only graphql-core reads: it would take 10 ms for a page of customers."""
    document = parse("query Find($input: FindInput!) { find(input: $input) { ... on CustomerPage { end } } }")
    [operation] = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert compile_operation(schema._schema, document, operation) is not None


def test_everything_is_described() -> None:
    """Every type, field, argument, input field and enum value has a description."""
    bare = [name for name, each in TYPES.items() if not each.description and name not in {"String", "Int", "Boolean"}]
    for name, each in TYPES.items():
        parts: dict[str, object] = {}
        if isinstance(each, GraphQLObjectType | GraphQLInterfaceType):
            parts = {**each.fields, **{key: arg for field in each.fields.values() for key, arg in field.args.items()}}
        elif isinstance(each, GraphQLInputObjectType):
            parts = dict(each.fields)
        elif isinstance(each, GraphQLEnumType):
            parts = dict(each.values)
        bare += [f"{name}.{key}" for key, part in parts.items() if not getattr(part, "description", None)]
    assert bare == []

"""The published schema: as committed, fully described, of one shape."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLUnionType,
    get_nullable_type,
    is_specified_scalar_type,
)

from graphql_api.engine.costs import costs_of, field_costs, hashing_fields
from graphql_api.schema import print_schema, schema
from graphql_api.types.user_errors import UserErrorCode
from registration.limits.budgets import Cost

PUBLISHED = Path(__file__).parents[2] / "schema.graphql"
TYPES = {name: type_ for name, type_ in schema._schema.type_map.items() if not name.startswith("__")}
UNIONS = [type_ for type_ in TYPES.values() if isinstance(type_, GraphQLUnionType)]


def described() -> Iterator[tuple[str, str | None]]:
    """Each element of the schema, with its description."""
    for name, type_ in TYPES.items():
        yield name, type_.description
        match type_:
            case GraphQLObjectType() | GraphQLInterfaceType():
                for field_name, field in type_.fields.items():
                    yield f"{name}.{field_name}", field.description
                    for argument_name, argument in field.args.items():
                        yield f"{name}.{field_name}({argument_name})", argument.description
            case GraphQLInputObjectType():
                for field_name, input_field in type_.fields.items():
                    yield f"{name}.{field_name}", input_field.description
            case GraphQLEnumType():
                for value_name, value in type_.values.items():
                    yield f"{name}.{value_name}", value.description


def test_the_committed_contract_is_what_the_code_publishes() -> None:
    """schema.graphql is what the code publishes; `make schema` writes it."""
    assert PUBLISHED.read_text("utf-8") == print_schema()


def test_lists_are_counted() -> None:
    """Every list that a query can answer with is marked with its items; those of mutations are errors."""
    objects = [each for each in TYPES.values() if isinstance(each, GraphQLObjectType)]
    of_queries = [each for each in objects if each.name not in {"InvalidInputError", "Violation"}]
    fields = {name: get_nullable_type(field.type) for each in of_queries for name, field in each.fields.items()}
    assert {name for name, type_ in fields.items() if isinstance(type_, GraphQLList)} == set(
        field_costs(schema._schema).items
    )


def test_everything_is_described() -> None:
    """Every type, field, argument, input field and enum value has a description."""
    found = [("schema", schema._schema.description), *described()]
    assert len(found) > 100
    assert [name for name, description in found if not (description or "").strip()] == []


def test_own_scalars_name_their_specification() -> None:
    """Each scalar that GraphQL does not define itself names its specification, in the published contract, too."""
    own = [
        each for each in TYPES.values() if isinstance(each, GraphQLScalarType) and not is_specified_scalar_type(each)
    ]
    assert [each.name for each in own if not each.specified_by_url] == []
    assert print_schema().count("@specifiedBy(url: ") == len(own) == 2


@pytest.mark.parametrize("union", UNIONS, ids=str)
def test_a_result_is_a_success_or_an_error_of_the_one_interface(union: GraphQLUnionType) -> None:
    """Each member of a result is a success or implements UserError."""
    interface = TYPES["UserError"]
    for member in union.types:
        assert (interface in member.interfaces) == member.name.endswith("Error"), member


def test_every_error_has_a_code_of_its_own() -> None:
    """Each error type has the code of its name."""
    errors = {member.name for union in UNIONS for member in union.types if member.name.endswith("Error")}
    assert {f"{code.name.title().replace('_', '')}Error" for code in UserErrorCode} == errors


def test_every_mutation_takes_one_input_and_answers_with_one_union() -> None:
    """Each mutation takes one input, or nothing where there is nothing to say, and returns one union, not null."""
    mutation = schema._schema.mutation_type
    assert mutation is not None
    for name, field in mutation.fields.items():
        assert list(field.args) == ([] if name == "exportMyData" else ["input"])
        assert isinstance(field.type, GraphQLNonNull)
        assert str(field.type.of_type) == f"{name[0].upper()}{name[1:]}Result"
        assert isinstance(field.type.of_type, GraphQLUnionType)


def test_fields_that_cost_a_budget_can_say_that_it_is_used_up() -> None:
    """The result of each field that is marked with a sign-up, a mail or a guess has the member TooManyAttemptsError."""
    mutation = schema._schema.mutation_type
    assert mutation is not None
    limited = {name for name, what in costs_of(schema._schema).items() if what - {Cost.HASH}}
    members = {name: {member.name for member in mutation.fields[name].type.of_type.types} for name in limited}
    assert [name for name in limited if "TooManyAttemptsError" not in members[name]] == []
    assert len(limited) == 8


def test_fields_that_hash_are_mutations() -> None:
    """Each hashing field is a mutation, so that a misspelt name cannot lift a limit."""
    mutation = schema._schema.mutation_type
    assert mutation is not None
    account = {"resetPassword", "changePassword", "updateCustomer", "anonymizeCustomer"}
    assert hashing_fields(schema._schema) == {"createCustomer", "createAccessToken", *account}

"""The shim's constant documents and its table of outcomes against the published schema."""

import pkgutil
from importlib import import_module

import pytest
from graphql import FieldNode, GraphQLUnionType, OperationDefinitionNode, build_schema, parse, validate

import rest_compat
from graphql_api.schema import print_schema
from graphql_api.types.user_errors import UserErrorCode
from rest_compat.errors import OUTCOMES

SCHEMA = build_schema(print_schema())
# Told by the table of violations.
INVALID_INPUT = "InvalidInputError"
# What the shim never comes to, by mutation: the contract has no place for it, and what the shim does instead.
NEVER = {
    "anonymizeCustomer": {"BAD_CREDENTIALS"},  # it sends no password
    "requestPasswordReset": {"TOO_MANY_ATTEMPTS"},  # the contract answers 204 always
    "resetPassword": {"RESET_TOKEN"},  # by its reason
}


def _documents() -> dict[str, str]:
    """Every operation that a module of the shim holds, by the name of its root field."""
    found = {}
    for module in pkgutil.iter_modules(rest_compat.__path__, "rest_compat."):
        for value in vars(import_module(module.name)).values():
            if isinstance(value, str) and value.startswith(("\nmutation ", "\nquery ")):
                found[_root_field(value)] = value
    return found


def _root_field(document: str) -> str:
    (operation,) = parse(document).definitions
    assert isinstance(operation, OperationDefinitionNode)
    (field,) = operation.selection_set.selections
    assert isinstance(field, FieldNode)
    return field.name.value


DOCUMENTS = _documents()


def test_every_outcome_has_its_document() -> None:
    """The table of outcomes and the documents name the same operations."""
    assert DOCUMENTS.keys() == OUTCOMES.keys()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_constant_documents_are_valid(name: str) -> None:
    """What the shim sends is valid against the schema that is published."""
    assert validate(SCHEMA, parse(DOCUMENTS[name])) == []


@pytest.mark.parametrize("name", sorted(OUTCOMES.keys() - {"me"}))
def test_every_error_of_a_mutation_is_told(name: str) -> None:
    """An error that is added to a result needs a row in the shim's table of outcomes."""
    result = SCHEMA.get_type(name[0].upper() + name[1:] + "Result")
    assert isinstance(result, GraphQLUnionType)
    errors = {member.name for member in result.types if member.name.endswith("Error")} - {INVALID_INPUT}
    codes = {_code(error) for error in errors}
    assert codes - NEVER.get(name, set()) <= OUTCOMES[name].refusals.keys()


def test_every_reason_of_a_reset_is_told() -> None:
    """The one error that gives a reason has a row for each."""
    reasons = SCHEMA.get_type("ResetTokenReason")
    assert set(getattr(reasons, "values", {})) == OUTCOMES["resetPassword"].refusals.keys()


def _code(error: str) -> str:
    """EmailTakenError is told as EMAIL_TAKEN."""
    words = "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in error.removesuffix("Error"))
    return UserErrorCode[words.lstrip("_")].name

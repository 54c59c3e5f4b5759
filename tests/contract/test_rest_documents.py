"""The REST door's constant documents and its table of outcomes, against the published schema."""

import pkgutil
import re
from importlib import import_module
from string import Formatter

import pytest
from graphql import FieldNode, GraphQLUnionType, OperationDefinitionNode, build_schema, parse, validate

import rest_compat
from graphql_api.schema import print_schema
from graphql_api.types.user_errors import UserErrorCode
from registration.language import Language
from rest_compat.errors import OUTCOMES, locked_out, sign_in_outcomes

SCHEMA = build_schema(print_schema())
# The table of violations has these.
INVALID_INPUT = "InvalidInputError"
# Error codes without a row, by mutation, and why.
WITHOUT_ROW = {
    "anonymizeCustomer": {"BAD_CREDENTIALS", "TOO_MANY_ATTEMPTS"},  # the door sends no password
    "requestPasswordReset": {"TOO_MANY_ATTEMPTS"},  # the contract answers 204 always
    "resetPassword": {"RESET_TOKEN"},  # its reasons have rows
    "updateCustomer": {"BAD_CREDENTIALS"},  # the door sends no password
}


def _documents() -> dict[str, str]:
    """Every operation in a module of the REST door, by the name of its root field."""
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
    """Each document is valid against the published schema."""
    assert validate(SCHEMA, parse(DOCUMENTS[name])) == []


@pytest.mark.parametrize("name", [name for name, text in DOCUMENTS.items() if text.startswith("\nmutation ")])
def test_every_error_of_a_mutation_is_told(name: str) -> None:
    """Each error that a document can get has a row in the table of outcomes."""
    result = SCHEMA.get_type(name[0].upper() + name[1:] + "Result")
    assert isinstance(result, GraphQLUnionType)
    errors = {member.name for member in result.types if member.name.endswith("Error")} - {INVALID_INPUT}
    codes = {_code(error) for error in errors}
    assert codes - WITHOUT_ROW.get(name, set()) <= OUTCOMES[name].refusals.keys()


def test_every_reason_of_a_reset_is_told() -> None:
    """Each reason of ResetTokenError has a row."""
    reasons = SCHEMA.get_type("ResetTokenReason")
    assert set(getattr(reasons, "values", {})) == OUTCOMES["resetPassword"].refusals.keys()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_gap_of_an_error_is_selected(name: str) -> None:
    """Each gap in the text of an error that a document can get is a field that the document selects."""
    outcomes = sign_in_outcomes(locked_out(Language.EN, 6)) if name == "createAccessToken" else OUTCOMES[name]
    gaps = {gap for error in outcomes.errors for _, gap, *_ in Formatter().parse(error.detail) if gap}
    assert gaps <= set(re.findall(r"\w+", DOCUMENTS[name]))


def _code(error: str) -> str:
    """The code of an error type, EMAIL_TAKEN for EmailTakenError."""
    words = "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in error.removesuffix("Error"))
    return UserErrorCode[words.lstrip("_")].name

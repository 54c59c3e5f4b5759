"""Documents whose fields are compared with each other: the work is bounded, and ordinary documents do not meet it."""

import pytest

from graphql_api.engine.costs import FieldCosts
from graphql_api.engine.documents import Documents, Prepared
from graphql_api.schema import schema

TYPENAMES = "__typename " * 298
POLICY = "{ password { minLength maxLength minStrength } salutations genders disclosure nameMaxLength emailMaxLength }"


def prepared(text: str) -> Prepared:
    return Documents(schema._schema, costs=FieldCosts(), introspection=True, suggestions=True).prepare(text)


def fragments(count: int, fields: str) -> str:
    spreads = " ".join(f"...F{number}" for number in range(count))
    definitions = " ".join(f"fragment F{number} on Customer {{ {fields} }}" for number in range(count))
    return f"{{ me {{ {spreads} }} }} {definitions}"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{{ registrationPolicy {{ {TYPENAMES} }} }}#random", id="one field repeated"),
        pytest.param(
            f"{{ registrationPolicy {{ ...F }} }} fragment F on RegistrationPolicy {{ {TYPENAMES} }}", id="fragment"
        ),
        pytest.param(
            "{ " + f"registrationPolicy {POLICY} " * 20 + "}",
            id="nested",
        ),
        pytest.param("{ me { " + "... on Customer { id email } " * 60 + "} }", id="inline fragments"),
        pytest.param("{ me { " + "id(a: 1) " * 100 + "} }", id="equal arguments"),
        pytest.param("{ me { " + " ".join(f"id(a: {n})" for n in range(100)) + "} }", id="different arguments"),
        pytest.param(fragments(100, "id"), id="many fragments"),
        pytest.param(fragments(70, "...F0 ...F1 ...F2"), id="fragments in a circle"),
    ],
)
def test_a_document_that_needs_too_many_comparisons_is_refused(text: str) -> None:
    """Validation stops at the bound, and the error names it."""
    (error,) = prepared(text)
    assert isinstance(error, dict)
    assert error["message"] == "The document exceeds the limit of 4000 for field comparisons."
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": "field comparisons"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) { __typename "
            "... on CreateCustomerSuccess { __typename customer { __typename id reference email } } "
            + " ".join(
                f"... on {name} {{ __typename code message ... on UserError {{ __typename code message }} }}"
                for name in ("InvalidInputError", "EmailTakenError", "TooManyAttemptsError", "IdempotencyConflictError")
            )
            + "} }",
            id="a union with the same fields in each member",
        ),
        pytest.param(
            fragments(20, "__typename id email"),
            id="twenty components that read the same customer",
        ),
    ],
)
def test_an_ordinary_document_passes(text: str) -> None:
    """Documents as Apollo and Relay write them stay within the bound."""
    assert isinstance(prepared(text), tuple)


def test_too_many_errors_are_no_matter_of_comparisons() -> None:
    """Conflicts that end validation by their number are answered as validation errors."""
    errors = prepared("{ me { " + " ".join(f"id(a: {number})" for number in range(8)) + " } }")
    assert len(errors) == 21
    assert {error["extensions"]["code"] for error in errors if isinstance(error, dict)} == {"GRAPHQL_VALIDATION_FAILED"}

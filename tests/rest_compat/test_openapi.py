from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import validate
from starlette.requests import Request

from registration.outcomes import Stage, ViolationCode
from registration.rules.password import PasswordPolicy
from rest_compat.door import Door
from rest_compat.jsonapi import MEDIA_TYPE
from rest_compat.resource import Call, Operation
from tests.rest_compat.asking import ask
from tests.rest_compat.executing import NOTHING_RUNS, application

APPLICATION = application(NOTHING_RUNS, PasswordPolicy(min_length=12))
DESCRIPTION: dict[str, Any] = ask(APPLICATION, "GET", "/openapi.json").document


def _operations() -> dict[str, tuple[str, Operation]]:
    """The resource's type and the operation, by the id of the description."""
    endpoints = [getattr(route, "endpoint", None) for route in APPLICATION.routes]
    door = next(endpoint for endpoint in endpoints if isinstance(endpoint, Door))
    return {
        f"{method} /{resource.type}" + ("" if operations is resource.collection else f"/{{{resource.id_name}}}"): (
            resource.type,
            operation,
        )
        for resource in door.resources.values()
        for operations in (resource.collection, resource.single)
        for method, operation in operations.items()
    }


OPERATIONS = _operations()
TAKING = [name for name, (_, operation) in OPERATIONS.items() if operation.takes]
VALUES: list[Any] = [
    *(
        "x",
        "",
        " ",
        "a@b.example",
        "x" * 11,
        "x" * 12,
        "x" * 101,
        "x" * 129,
        "Female",
        "Mrs",
        "1984-05-17",
        "1984-02-30",
    ),
    *(None, True, False, 0, 5, [], ["x"], {}, {"x": 1}),
]
# Legacy clients may send more than the description shows: what is blank in a password that is not stored, for example.
LENIENT: dict[tuple[str, str], list[Any]] = {
    ("POST /customers", "acceptedTerms"): [None],  # a rule of a later stage
    ("POST /customers", "dateOfBirth"): [""],
    ("PATCH /customers/{customerReference}", "dateOfBirth"): [""],
    ("PATCH /customers/{customerReference}", "password"): [None, False, []],
    ("PATCH /customers/{customerReference}", "confirmPassword"): [None, False, []],
}


def _described(name: str) -> Any:
    method, path = name.split(" ")
    return DESCRIPTION["paths"][path][method.lower()]


def _violated(operation: Operation, attributes: dict[str, object]) -> dict[str, set[ViolationCode]]:
    """The codes of broken attribute rules by attribute."""
    request = Request({"type": "http", "headers": []})
    found: dict[str, set[ViolationCode]] = {}
    for violation in operation.rules(Call(request, None, attributes, None)):
        if violation.stage is Stage.ATTRIBUTE:
            found.setdefault(violation.attribute, set()).add(violation.code)
    return found


def test_it_is_valid() -> None:
    """By the validator of the specification's authors."""
    validate(DESCRIPTION)


def test_every_operation_is_described_and_nothing_else() -> None:
    """What the door serves and what is published are the same, beside the endpoint for tokens."""
    described = {
        operation["operationId"]
        for path in DESCRIPTION["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
    }
    assert described == OPERATIONS.keys() | {"POST /token"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_tokens_are_asked_for_where_they_are_needed(name: str) -> None:
    """And where they are not, they may come along."""
    expected: list[dict[str, Any]] = (
        [{"accessToken": []}] if OPERATIONS[name][1].protected else [{}, {"accessToken": []}]
    )
    assert _described(name)["security"] == expected


@pytest.mark.parametrize("name", TAKING)
def test_required_attributes_are_those_whose_absence_breaks_a_rule(name: str) -> None:
    """The description and the rules are told by the same requests."""
    operation = OPERATIONS[name][1]
    missing = {attribute for attribute, codes in _violated(operation, {}).items() if ViolationCode.MISSING in codes}
    assert missing == {attribute for attribute, taken in operation.takes.items() if taken.required}


@pytest.mark.parametrize("name", TAKING)
def test_schemas_refuse_what_the_rules_refuse(name: str) -> None:
    """Value by value: what the schema of an attribute allows breaks no rule of it, and the other way round."""
    operation = OPERATIONS[name][1]
    for attribute, taken in operation.takes.items():
        validator = OAS31Validator(taken.schema, format_checker=oas31_format_checker)
        judged_otherwise = [
            value
            for value in VALUES
            if validator.is_valid(value) is (attribute in _violated(operation, {attribute: value}))
        ]
        assert judged_otherwise == LENIENT.get((name, attribute), [])


@pytest.mark.parametrize("name", OPERATIONS)
def test_success_is_described_by_what_is_shown(name: str) -> None:
    """204 has no content; a document names the type of its resource."""
    resource_type, operation = OPERATIONS[name]
    answer = _described(name)["responses"][str(operation.status)]
    if operation.status == 204:
        assert "content" not in answer
        return
    data = answer["content"][MEDIA_TYPE]["schema"]["properties"]["data"]
    item = data["items"] if operation.lists else data
    assert item["properties"]["type"] == {"const": resource_type}


def test_no_text_of_an_error_is_left_out() -> None:
    """Examples are distinct, and those with gaps show them by name, not as Python writes them."""
    values = [str(example["value"]) for example in DESCRIPTION["components"]["examples"].values()]
    assert len(values) == len(set(values))
    assert not any("{{" in value for value in values)

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
from tests.clock import TODAY
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
# Legacy clients may send more than the description shows, such as a blank password that is not stored.
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
    for violation in operation.rules(Call(request, None, attributes, None, TODAY)):
        if violation.stage is Stage.ATTRIBUTE:
            found.setdefault(violation.attribute, set()).add(violation.code)
    return found


def test_it_is_valid() -> None:
    """The specification's own validator accepts the description."""
    validate(DESCRIPTION)


def test_every_operation_is_described_and_nothing_else() -> None:
    """The description has each operation of the door and the token endpoint, and no other."""
    described = {
        operation["operationId"]
        for path in DESCRIPTION["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
    }
    assert described == OPERATIONS.keys() | {"POST /token"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_tokens_are_asked_for_where_they_are_needed(name: str) -> None:
    """Protected operations demand an access token, and the others accept one."""
    expected: list[dict[str, Any]] = (
        [{"accessToken": []}] if OPERATIONS[name][1].protected else [{}, {"accessToken": []}]
    )
    assert _described(name)["security"] == expected


@pytest.mark.parametrize("name", TAKING)
def test_required_attributes_are_those_whose_absence_breaks_a_rule(name: str) -> None:
    """An attribute is required exactly if its absence breaks a rule."""
    operation = OPERATIONS[name][1]
    missing = {attribute for attribute, codes in _violated(operation, {}).items() if ViolationCode.MISSING in codes}
    assert missing == {attribute for attribute, taken in operation.takes.items() if taken.required}


@pytest.mark.parametrize("name", TAKING)
def test_schemas_refuse_what_the_rules_refuse(name: str) -> None:
    """A value fits the schema of an attribute exactly if it breaks no attribute rule."""
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
    """204 has no content, and a document names the type of its resource."""
    resource_type, operation = OPERATIONS[name]
    answer = _described(name)["responses"][str(operation.status)]
    if operation.status == 204:
        assert "content" not in answer
        return
    data = answer["content"][MEDIA_TYPE]["schema"]["properties"]["data"]
    item = data["items"] if operation.lists else data
    assert item["properties"]["type"] == {"const": resource_type}


def test_no_text_of_an_error_is_left_out() -> None:
    """Each error has an example of its own, with gaps named."""
    values = [str(example["value"]) for example in DESCRIPTION["components"]["examples"].values()]
    assert len(values) == len(set(values))
    assert not any("{{" in value for value in values)

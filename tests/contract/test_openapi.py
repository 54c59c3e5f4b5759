"""/openapi.json of a real gateway: valid, and true for the requests of a fuzzer."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from harness.gateway import Gateway
from tests.contract.shop import PASSWORD, document, person

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@dataclass(frozen=True, slots=True)
class Described:
    """A gateway process, its description as a fuzzer reads it, and a signed-in customer."""

    schema: BaseSchema
    reference: str
    access_token: str = field(repr=False)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    directory = tmp_path_factory.mktemp("gateway")
    # No confirmation, so that no mail is needed; the sign-ins of the fuzzer fail.
    settings = {"GATEWAY_CONFIRMATION": "off", "GATEWAY_RELAY": "off"}
    with Gateway(directory, settings | {"GATEWAY_DATABASE_URL": f"sqlite:///{directory}/registration.db"}) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def described(gateway: Gateway) -> Described:
    with httpx2.Client(base_url=gateway.base_url) as client:
        reference = client.post("/customers", json=document("customers", **person())).json()["data"]["id"]
        credentials = {"username": person()["email"], "password": PASSWORD}
        signed_in = client.post("/access-tokens", json=document("access-tokens", **credentials)).json()
        schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    schema.config.update(base_url=gateway.base_url)
    return Described(schema, reference, signed_in["data"]["attributes"]["accessToken"])


def test_the_description_is_valid_openapi(described: Described) -> None:
    """The specification's own validator accepts it, and its server is the gateway."""
    raw = described.schema.raw_schema
    validate(raw)
    assert raw["openapi"].startswith("3.1.")
    assert set(raw["paths"]) == {
        "/customers",
        "/customers/{customerReference}",
        "/customer-confirmation",
        "/customer-forgotten-password",
        "/customer-restore-password/{id}",
        "/customer-password/{customerReference}",
        "/access-tokens",
        "/refresh-tokens",
        "/refresh-tokens/{refreshToken}",
        "/token",
    }


def test_answers_are_as_described(described: Described) -> None:
    """Good and bad requests get only described statuses, media types and bodies."""
    _fuzz(described, examples=3)


@pytest.mark.long
def test_answers_are_as_described_for_long(described: Described) -> None:
    """Many more requests get only described answers."""
    _fuzz(described, examples=150)


def _fuzz(described: Described, examples: int) -> None:
    for found in described.schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        _fuzz_operation(described, operation, GenerationMode.POSITIVE, examples)
        with suppress(Unsatisfiable):  # an operation without input accepts every request
            _fuzz_operation(described, operation, GenerationMode.NEGATIVE, examples)


def _fuzz_operation(described: Described, operation: Any, mode: GenerationMode, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers_are_as_described(case: Any) -> None:
        for headers in ({}, {"Authorization": f"Bearer {described.access_token}"}):
            if headers and "customerReference" in case.path_parameters and case.method != "DELETE":
                case.path_parameters["customerReference"] = described.reference
            case.call_and_validate(headers=headers, checks=CHECKS)

    answers_are_as_described()

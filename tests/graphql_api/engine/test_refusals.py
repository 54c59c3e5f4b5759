"""What the log line of a request says about errors, through both doors."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from graphql_api.settings import GatewaySettings
from registration.notes import with_notes
from registration.storage.database import Database
from tests.graphql_api.installation import Installation, installed

SECRET = "correct-horse-1815"


@pytest.fixture
def installation(database: Database) -> Iterator[Installation]:
    with installed(database, GatewaySettings()) as running:
        yield running


@pytest.mark.parametrize(
    ("document", "variables", "codes"),
    [
        ("{ me { reference } }", None, ["UNAUTHENTICATED"]),
        (f'{{ nothing(password: "{SECRET}") }}', None, ["GRAPHQL_VALIDATION_FAILED"]),
        (f"{{ {SECRET} }}", None, ["GRAPHQL_PARSE_FAILED"]),
        ("{ __schema { types { name } } }", None, ["INTROSPECTION_DISABLED"]),
        ("{ registrationPolicy { " + "disclosure " * 400 + "} }", None, ["LIMIT_EXCEEDED"]),
        (
            "mutation ($i: CreateCustomerInput!) { createCustomer(input: $i) { __typename } }",
            {"i": {"password": SECRET}},
            ["BAD_USER_INPUT"],
        ),
        ("{ __typename }", None, None),
    ],
)
def test_a_refused_request_is_logged_with_its_codes(
    installation: Installation, document: str, variables: object, codes: list[str] | None
) -> None:
    """The status of GraphQL can be 200 where access was refused or a limit broken, so the line names the codes."""
    with capture_logs([with_notes]) as entries:
        installation.post(document, variables)
        installation.post("{ __typename }")
    refused, next_one = entries
    assert (refused["event"], refused.get("errors")) == ("request", codes)
    assert "errors" not in next_one
    assert SECRET not in str(entries)


def test_the_json_api_door_names_them_too(installation: Installation) -> None:
    """The line has the status of the contract, and the code of what the mutation or query answered."""
    with capture_logs([with_notes]) as entries:
        installation.client.get("/customers/DE--1", headers={"Authorization": "Bearer a.b.c"})
    (entry,) = entries
    assert (entry["status"], entry["errors"]) == (401, ["UNAUTHENTICATED"])

"""One correlation id leads from the answer to the log line, the audit row and the mail of a request."""

import json
from collections.abc import Mapping
from email import message_from_bytes, policy
from typing import Any

import httpx2
import pytest

from harness.gateway import Gateway
from registration.storage.database import open_database
from registration.storage.tables import audit
from tests.conftest import Serve
from tests.graphql_api.installation import CREATE, FORM
from tests.registration.stored import rows
from tests.waiting import PATIENCE, eventually

SIGN_IN = "mutation ($input: CreateAccessTokenInput!) { createAccessToken(input: $input) { __typename } }"
REST_FORM = FORM | {"salutation": "Ms", "gender": "Female"}


def ask(gateway: Gateway, query: str, given: Mapping[str, object]) -> str:
    """The correlation id of the answer."""
    body = {"query": query, "variables": {"input": given}}
    return str(httpx2.post(f"{gateway.base_url}/graphql", json=body, timeout=PATIENCE).headers["x-correlation-id"])


def ask_rest(gateway: Gateway, path: str, kind: str, attributes: Mapping[str, object]) -> str:
    document = {"data": {"type": kind, "attributes": attributes}}
    return str(httpx2.post(f"{gateway.base_url}/{path}", json=document, timeout=PATIENCE).headers["x-correlation-id"])


def lines(gateway: Gateway) -> dict[str, dict[str, Any]]:
    """The lines about requests, by correlation id."""
    events = map(json.loads, gateway.log.read_text().splitlines())
    return {each["correlation_id"]: each for each in events if each["event"] == "request"}


@pytest.mark.long
@pytest.mark.parametrize("disclosure", ["reveal", "conceal"])
def test_one_id_leads_from_the_answer_to_everything_else(serve: Serve, sqlite_url: str, disclosure: str) -> None:
    """A sign-up through either door can be found by its id, though sign-ups share a thread that commits them."""
    gateway = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_DISCLOSURE=disclosure)
    signed_up = ask(gateway, CREATE, FORM)
    again = ask_rest(gateway, "customers", "customers", REST_FORM)
    failed = ask(gateway, SIGN_IN, {"email": "ada@example.org", "password": "wrong"})
    broken = ask_rest(gateway, "customers", "customers", REST_FORM | {"acceptedTerms": False})
    unread = httpx2.post(f"{gateway.base_url}/graphql", json={"query": "nonsense"}).headers["x-correlation-id"]
    conceals = disclosure == "conceal"
    eventually(lambda: len(list(gateway.mail_directory.glob("*.eml"))) == 1 + conceals)
    gateway.stop()
    database = open_database(sqlite_url)
    recorded = {row["kind"]: row["correlation_id"] for row in rows(database, audit)}
    database.close()
    assert recorded == {"sign-up": signed_up, "sign-in failure": failed} | (
        {"sign-up repeated": again} if conceals else {}
    )
    mails = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in gateway.mail_directory.iterdir()]
    assert {mail["X-Correlation-ID"] for mail in mails} == {signed_up} | ({again} if conceals else set())
    seen = {found: (line["operation"], line["outcome"], line.get("code")) for found, line in lines(gateway).items()}
    success, taken = ("RegistrationAccepted",) * 2 if conceals else ("CreateCustomerSuccess", "EmailTakenError")
    assert seen[signed_up] == ("createCustomer", success, None)
    assert seen[again] == ("createCustomer", taken, None if conceals else "400")
    assert seen[failed] == ("createAccessToken", "BadCredentialsError", None)
    assert seen[broken] == ("createCustomer", "BAD_USER_INPUT", "901")
    assert seen[unread] == ("/graphql", "GRAPHQL_PARSE_FAILED", None)
    assert {line["client"] for line in lines(gateway).values()} == {"127.0.0.0/24"}
    assert "ada@example.org" not in gateway.log.read_text()

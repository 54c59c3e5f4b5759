"""A customer of the gateway under fire, and what its descriptions say: what requests are made from."""

import re
import time
from collections.abc import Iterator, Sequence
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import httpx2
from graphql import build_schema

from fuzz.requests import Known
from fuzz.texts import CANARY
from harness.gateway import Gateway

PASSWORD = f"{CANARY}of the member"
ADDRESS = f"{CANARY}member@example.org"
SCHEMA = Path(__file__).parents[1] / "schema.graphql"
KEY = re.compile(r"token=([0-9a-f]{32,})")
INPUT = {
    "salutation": "MS",
    "firstName": "Ada",
    "lastName": "Beispiel",
    "email": ADDRESS,
    "gender": "FEMALE",
    "password": PASSWORD,
    "confirmPassword": PASSWORD,
    "acceptedTerms": True,
}


def known_of(gateway: Gateway, corpus: Sequence[bytes]) -> Known:
    """Sign a customer up, confirm the address, sign in, and read the descriptions of both doors."""
    with httpx2.Client(base_url=gateway.base_url, timeout=60) as client:
        _run(client, "mutation($input: CreateCustomerInput!) { createCustomer(input: $input) { __typename } }", INPUT)
        _run(
            client,
            "mutation($input: ConfirmCustomerInput!) { confirmCustomer(input: $input) { __typename } }",
            {"token": _key(gateway.mail_directory)},
        )
        signed_in = _run(
            client,
            "mutation($input: CreateAccessTokenInput!) { createAccessToken(input: $input) {"
            " ... on CreateAccessTokenSuccess { tokens { accessToken refreshToken } } } }",
            {"email": ADDRESS, "password": PASSWORD},
        )
        described = client.get("/openapi.json").json()
    tokens = signed_in["tokens"]
    return Known(
        schema=build_schema(SCHEMA.read_text("utf-8")),
        paths={path: sorted(set(_attributes(operations))) for path, operations in described["paths"].items()},
        reference="DE--1",
        tokens=(tokens["accessToken"], tokens["refreshToken"]),
        corpus=corpus,
    )


def _run(client: httpx2.Client, query: str, given: dict[str, Any]) -> Any:
    answer = client.post("/graphql", json={"query": query, "variables": {"input": given}}).json()
    (value,) = answer["data"].values()
    return value


def _key(directory: Path) -> str:
    """The key in the first mail that arrives."""
    for _ in range(600):
        for path in directory.glob("*.eml"):
            mail = message_from_bytes(path.read_bytes(), policy=default)
            body = mail.get_body(("plain",))
            if body and (found := KEY.search(body.get_content())):
                return found[1]
        time.sleep(0.1)
    raise RuntimeError("no mail with a key came")


def _attributes(description: Any) -> Iterator[str]:
    """The names of all properties below `attributes`."""
    if isinstance(description, dict):
        if isinstance(inner := description.get("attributes"), dict):
            yield from inner.get("properties", {})
        for value in description.values():
            yield from _attributes(value)
    elif isinstance(description, list):
        for value in description:
            yield from _attributes(value)

"""Clients of both doors over plain HTTP that report the verdict of an answer."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any, TypeAlias
from urllib.parse import urlencode

from harness.gateway import Gateway
from harness.ports import HOST

PATIENCE = 120  # seconds
# As in production: with the cheap hashes of other tests a burst would be over too soon.
REAL_HASHES = {"GATEWAY_HASH_MEMORY_KIB": "19456", "GATEWAY_HASH_TIME_COST": "2"}
CREATE = """
mutation ($input: CreateCustomerInput!) {
  createCustomer(input: $input) { __typename ... on CreateCustomerSuccess { customer { reference } } }
}
"""
FORM = {
    "salutation": "Ms",
    "gender": "Female",
    "firstName": "Ada",
    "lastName": "Beispiel",
    "password": "correct horse",
    "confirmPassword": "correct horse",
    "acceptedTerms": True,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """`verdict` is registered, taken or unavailable; any other holds the whole response."""

    verdict: str
    status: int
    reference: str = ""
    correlation_id: str = ""


Waiting: TypeAlias = Callable[[], Answer | None]
"""Reads the answer to a request that was sent; None when the connection broke."""
Door: TypeAlias = Callable[[Gateway, str], Waiting]
"""Sends a sign-up with an address, without waiting for the answer."""


def graphql(gateway: Gateway, email: str) -> Waiting:
    form = FORM | {"email": email, "salutation": "MS", "gender": "FEMALE"}
    reply = send(gateway, "/graphql", {"query": CREATE, "variables": {"input": form}})

    def read() -> Answer | None:
        received = reply()
        if received is None:
            return None
        status, document = received
        if status == 503:
            return Answer("unavailable", status, "", _correlation_id(document["errors"][0]["extensions"]))
        created = document.get("data", {}).get("createCustomer", {})
        match created.get("__typename"):
            case "CreateCustomerSuccess":
                return Answer("registered", status, created["customer"]["reference"])
            case "EmailTakenError":
                return Answer("taken", status)
        return Answer(str(document), status)

    return read


def rest(gateway: Gateway, email: str) -> Waiting:
    document = {"data": {"type": "customers", "attributes": FORM | {"email": email}}}
    reply = send(gateway, "/customers", document)

    def read() -> Answer | None:
        received = reply()
        if received is None:
            return None
        status, document = received
        match status, document:
            case 201, {"data": {"id": reference}}:
                return Answer("registered", status, reference)
            case 422, {"errors": [{"code": "400"}]}:
                return Answer("taken", status)
            case 503, {"errors": [{"detail": detail}]}:
                return Answer("unavailable", status, "", detail.rpartition("correlation id ")[2].rstrip(")"))
        return Answer(str(document), status)

    return read


DOORS: tuple[Door, ...] = (graphql, rest)


def send(gateway: Gateway, path: str, document: object) -> Callable[[], tuple[int, Any] | None]:
    """Post JSON on a connection of its own, without reading the response."""
    connection = HTTPConnection(HOST, gateway.port, timeout=PATIENCE)
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    try:
        connection.request("POST", path, json.dumps(document), headers)
    except OSError:
        connection.close()
        return lambda: None

    def read() -> tuple[int, Any] | None:
        try:
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (HTTPException, OSError):
            return None
        finally:
            connection.close()

    return read


def get(gateway: Gateway, path: str) -> int:
    """The status of a page."""
    connection = HTTPConnection(HOST, gateway.port, timeout=PATIENCE)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def post_form(gateway: Gateway, path: str, fields: Mapping[str, str]) -> int:
    """The status of the response to a form; redirects are not followed."""
    connection = HTTPConnection(HOST, gateway.port, timeout=PATIENCE)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", path, urlencode(fields), headers)
    status = connection.getresponse().status
    connection.close()
    return status


def _correlation_id(extensions: Mapping[str, str]) -> str:
    return extensions.get("correlationId", "")

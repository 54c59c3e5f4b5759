"""The wire: each operation as a request through one of the doors, and its answer as a verdict."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any

from harness.gateway import Gateway
from harness.ports import HOST
from tests.faults.doors import FORM, PATIENCE
from tests.histories.checker.operation import DONE, UNAUTHENTICATED, UNKNOWN, Kind

TOKENS = "tokens { accessToken refreshToken }"
CUSTOMER = "customer { reference email firstName }"
MUTATIONS = {
    Kind.SIGN_UP: ("createCustomer", CUSTOMER),
    Kind.CONFIRM: ("confirmCustomer", CUSTOMER),
    Kind.SIGN_IN: ("createAccessToken", TOKENS),
    Kind.RENAME: ("updateCustomer", CUSTOMER),
    Kind.REFRESH: ("refreshAccessToken", TOKENS),
    Kind.END_SESSION: ("endSession", "message"),
    Kind.SIGN_OUT: ("revokeRefreshToken", "message"),
    Kind.CHANGE_PASSWORD: ("changePassword", "message"),
    Kind.REQUEST_RESET: ("requestPasswordReset", "message"),
    Kind.RESET: ("resetPassword", "message"),
    Kind.CHANGE_EMAIL: ("updateCustomer", CUSTOMER),
    Kind.CONFIRM_EMAIL: ("confirmEmailChange", CUSTOMER),
    Kind.ERASE: ("anonymizeCustomer", "message"),
}
REST = {
    Kind.SIGN_UP: ("/customers", "customers"),
    Kind.CONFIRM: ("/customer-confirmation", "customer-confirmation"),
    Kind.SIGN_IN: ("/access-tokens", "access-tokens"),
    Kind.REFRESH: ("/refresh-tokens", "refresh-tokens"),
}
REST_NAMES = {(Kind.CONFIRM, "token"): "registrationKey", (Kind.SIGN_IN, "email"): "username"}
REST_REFUSALS = {
    (Kind.SIGN_UP, 422, "400"): "EMAIL_TAKEN",
    (Kind.CONFIRM, 422, "423"): "CONFIRMATION_TOKEN",
    # Also where the address is not confirmed.
    (Kind.SIGN_IN, 401, "003"): "BAD_CREDENTIALS",
    (Kind.REFRESH, 401, "004"): "REFRESH_TOKEN",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair of tokens, and what the access token says of itself."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)

    @property
    def facts(self) -> dict[str, str]:
        payload = self.access.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        reference = json.loads(claims["sub"])["customer_reference"]
        return {
            "reference": reference,
            "session": claims["jti"][:32],
            "access": name_of(self.access),
            "refresh": name_of(self.refresh),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict, what was told, and the tokens that were issued."""

    verdict: str
    told: Mapping[str, str] = field(default_factory=dict)
    pair: Pair | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """An operation as it is sent: `input` as GraphQL has it; `account` is the address and password of its customer."""

    kind: Kind
    given: Mapping[str, str]
    input: Mapping[str, object] = field(repr=False, default_factory=dict)
    access: str = field(repr=False, default="")
    by_rest: bool = False
    account: tuple[str, str] = ("", "")


def name_of(token: str) -> str:
    """The last characters of a token, by which a history names it."""
    return token[-12:]


def send(gateway: Gateway, request: Request) -> Callable[[], Answer]:
    """Send a request, and return what waits for its answer. Raises OSError: then nothing was sent."""
    path, document, headers = _by_rest(request) if request.by_rest else _by_graphql(request)
    connection = HTTPConnection(HOST, gateway.port, timeout=PATIENCE)
    connection.connect()

    def read() -> Answer:
        try:
            response = connection.getresponse()
            content = response.read()
        except (HTTPException, OSError):
            return Answer(UNKNOWN)
        finally:
            connection.close()
        return _answer(request, response.status, json.loads(content) if content else {})

    try:
        connection.request("POST", path, json.dumps(document), headers)
    except OSError:
        connection.close()
        return lambda: Answer(UNKNOWN)
    return read


def _by_graphql(request: Request) -> tuple[str, object, dict[str, str]]:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if request.access:
        headers["Authorization"] = f"Bearer {request.access}"
    if request.kind is Kind.ME:
        return "/graphql", {"query": "{ me { reference email firstName } }"}, headers
    name, shown = MUTATIONS[request.kind]
    title = name[0].upper() + name[1:]
    success = title + ("Accepted" if request.kind is Kind.REQUEST_RESET else "Success")
    # Signing out has no refusal.
    refused = "" if request.kind is Kind.SIGN_OUT else "... on UserError { code }"
    query = (
        f"mutation ($input: {title}Input!) {{ {name}(input: $input) {{ {refused} ... on {success} {{ {shown} }} }} }}"
    )
    return "/graphql", {"query": query, "variables": {"input": request.input}}, headers


def _by_rest(request: Request) -> tuple[str, object, dict[str, str]]:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    path, type_name = REST[request.kind]
    attributes = {REST_NAMES.get((request.kind, name), name): value for name, value in request.input.items()}
    if request.kind is Kind.SIGN_UP:
        attributes |= {"salutation": FORM["salutation"], "gender": FORM["gender"]}
        if "idempotencyKey" in attributes:
            headers["Idempotency-Key"] = str(attributes.pop("idempotencyKey"))
    return path, {"data": {"type": type_name, "attributes": attributes}}, headers


def _answer(request: Request, status: int, document: Any) -> Answer:
    if status == 503:
        return Answer(UNKNOWN)
    return _of_rest(request.kind, status, document) if request.by_rest else _of_graphql(status, document)


def _of_rest(kind: Kind, status: int, document: Any) -> Answer:
    if status not in {201, 204}:
        code = document["errors"][0].get("code", "")
        return Answer(REST_REFUSALS.get((kind, status, code), f"{status} {document}"))
    data = document.get("data", {})
    if kind is Kind.SIGN_UP:
        return Answer(DONE, {"reference": data["id"]})
    return Answer(DONE) if kind is Kind.CONFIRM else _issued(data["attributes"])


def _of_graphql(status: int, document: Any) -> Answer:
    if "errors" in document:
        code = document["errors"][0].get("extensions", {}).get("code")
        return Answer(UNAUTHENTICATED if code == UNAUTHENTICATED else f"{status} {document}")
    (member,) = document["data"].values()
    if "code" in member:
        return Answer(member["code"])
    if "tokens" in member:
        return _issued(member["tokens"])
    customer = member.get("customer", member)
    names = {"reference": "reference", "email": "email", "firstName": "name"}
    return Answer(DONE, {fact: customer[name] for name, fact in names.items() if name in customer})


def _issued(tokens: Mapping[str, str]) -> Answer:
    pair = Pair(tokens["accessToken"], tokens["refreshToken"])
    return Answer(DONE, pair.facts, pair)

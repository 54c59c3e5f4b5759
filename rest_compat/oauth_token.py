"""The plain OAuth endpoint /token (RFC 6749): its two grants run the mutations of the Glue resources."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from registration.notes import note
from rest_compat.access_tokens import CREATE_ACCESS_TOKEN
from rest_compat.attributes import TOKENS
from rest_compat.body import read_body
from rest_compat.caller import caller_of
from rest_compat.document_schemas import STRING, an_object
from rest_compat.errors import (
    BODY_ENCODED,
    BODY_TOO_LARGE,
    INVALID_ACCESS_TOKEN,
    MALFORMED_REQUEST,
    PASSWORD_GRANT,
    REFRESH_GRANT,
    TWO_IDENTITIES,
    UNAVAILABLE,
    UNKNOWN_CLIENT,
    UNKNOWN_GRANT,
    Outcomes,
)
from rest_compat.execution import Execute, run
from rest_compat.header_checks import header_refusal, preflight
from rest_compat.jsonapi import Error
from rest_compat.refresh_tokens import REFRESH_ACCESS_TOKEN
from rest_compat.resource import Refused
from rest_compat.response import json_response, language_of, refusal_headers, with_contract_headers

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
PATH = "/token"
Form: TypeAlias = Mapping[str, str]
MAX_FIELDS = 100
"""Of a form. The grants have six; to read 16,000 would hold up other requests."""
# Names of RFC 6749 (4.1.2.1) for faults of the server.
FAULTS = {500: "server_error", 503: "temporarily_unavailable"}


@dataclass(frozen=True, slots=True)
class Grant:
    """How a form becomes the input of a mutation; `fields` are its names there, by their names in the form."""

    document: str
    fields: Mapping[str, str]
    outcomes: Outcomes

    def read(self, form: Form) -> Mapping[str, object] | None:
        """The input of the mutation; None when a field is missing or empty (RFC 6749, 3.2)."""
        given = {name: form.get(field) for field, name in self.fields.items()}
        return given if all(given.values()) else None


GRANTS = {
    "password": Grant(CREATE_ACCESS_TOKEN, {"username": "email", "password": "password"}, PASSWORD_GRANT),
    "refresh_token": Grant(REFRESH_ACCESS_TOKEN, {"refresh_token": "refreshToken"}, REFRESH_GRANT),
}
MEMBERS = {
    "token_type": "tokenType",
    "expires_in": "expiresIn",
    "access_token": "accessToken",
    "refresh_token": "refreshToken",
}

# For the published description.
REQUEST = an_object(
    {"grant_type": {"enum": list(GRANTS)}}
    | {field: STRING for grant in GRANTS.values() for field in grant.fields}
    | dict.fromkeys(("client_id", "client_secret", "scope"), STRING),
    required=["grant_type"],
)
SHOWN = an_object({name: TOKENS[member] for name, member in MEMBERS.items()})
ERRORS = [
    UNKNOWN_GRANT,
    MALFORMED_REQUEST,
    UNKNOWN_CLIENT,
    *(replace(error, code=MALFORMED_REQUEST.code) for error in (BODY_TOO_LARGE, BODY_ENCODED)),
    UNAVAILABLE,
    *(error for grant in GRANTS.values() for error in grant.outcomes.errors),
]
PLAIN_ERRORS = (TWO_IDENTITIES, INVALID_ACCESS_TOKEN, UNAVAILABLE)


def token_route(execute: Execute, client_id: str) -> Route:
    """`client_id` is the only client, and the default of requests that name none."""
    route = Route(PATH, _endpoint(execute, client_id), methods=["POST", "OPTIONS"])
    # As for all paths of the REST door, slashes around the path do not count.
    route.path_regex = re.compile(rf"/*{PATH}/*\Z")
    return route


def _endpoint(execute: Execute, client_id: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        if request.method == "OPTIONS":
            return with_contract_headers(header_refusal(request) or preflight(request, ["POST"]), language_of(request))
        caller = await caller_of(execute, request)
        if isinstance(caller, Refused):
            return with_contract_headers(_plain(caller), language_of(request))
        form = await _read_form(request)
        tokens = await _tokens(execute, request, client_id, form) if isinstance(form, dict) else form
        return with_contract_headers(_response(tokens), language_of(request))

    return answer


async def _read_form(request: Request) -> dict[str, str] | Refused:
    """The fields of the form; none for a body of another type, which is not read."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return {}
    content = await read_body(request)
    if isinstance(content, Error):
        return Refused((replace(content, code=MALFORMED_REQUEST.code),))
    try:
        pairs = parse_qsl(content.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        return Refused((MALFORMED_REQUEST,))
    form = dict(pairs)
    return form if len(form) == len(pairs) else Refused((MALFORMED_REQUEST,))


async def _tokens(execute: Execute, request: Request, client_id: str, form: Form) -> Mapping[str, Any] | Refused:
    grant = GRANTS.get(form.get("grant_type", ""))
    if grant is None:
        return Refused((UNKNOWN_GRANT,))
    if (form.get("client_id") or client_id) != client_id:
        return Refused((UNKNOWN_CLIENT,))
    given = grant.read(form)
    if given is None:
        return Refused((MALFORMED_REQUEST,))
    member = await run(execute, request, grant.document, given, grant.outcomes)
    return member if isinstance(member, Refused) else member["tokens"]


def _response(tokens: Mapping[str, Any] | Refused) -> Response:
    if not isinstance(tokens, Refused):
        return json_response({name: tokens[member] for name, member in MEMBERS.items()}, 200, JSON)
    (error,) = tokens.errors
    note(code=error.code)  # for the log line of the request
    response = json_response(error_body(error), error.status, JSON)
    if error.status in {
        *FAULTS,
        BODY_ENCODED.status,
    }:  # the answer to a blocked sign-in must not differ from that to a failed one
        response.headers.update(refusal_headers(tokens))
    return response


def error_body(error: Error) -> dict[str, str | None]:
    return {"error": FAULTS.get(error.status, error.code), "error_description": error.detail}


def _plain(refused: Refused) -> Response:
    (error,) = refused.errors
    return PlainTextResponse(error.detail, error.status, refusal_headers(refused))

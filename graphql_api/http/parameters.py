"""The parameters of a request of GraphQL over HTTP: in the body of a POST, or in the query of a GET."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from starlette.requests import Request

from graphql_api.http.body import Disconnected, Encoded, TooLarge, read_body
from graphql_api.http.negotiation import JSON, is_json
from graphql_api.http.strict_json import Json, NotJson, read_json


@dataclass(frozen=True, slots=True)
class BadRequest:
    """A request that is not GraphQL over HTTP. Its `message` is for the client."""

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


async def posted(request: Request) -> Json | BadRequest:
    if not is_json(request.headers.get("content-type", "")):
        return BadRequest(415, f"The Content-Type must be {JSON}, in UTF-8.")
    body = await read_body(request)
    match body:
        case bytes():
            value = read_json(body)
            return BadRequest(400, f"The body {value.reason}.") if isinstance(value, NotJson) else value
        case TooLarge(limit):
            return BadRequest(413, f"The body is larger than {limit} bytes.")
        case Encoded():
            return BadRequest(415, "The body must have no Content-Encoding.", {"accept-encoding": "identity"})
        case Disconnected():
            return BadRequest(400, "The body is not complete.")
    assert_never(body)


def in_query(query: Mapping[str, str]) -> Json | BadRequest:
    """The parameters of an address; an empty one counts as absent, but for the document."""
    parameters: dict[str, Json] = {name: query.get(name) or None for name in ("operationName", "documentId")}
    parameters["query"] = query.get("query")
    for name in ("variables", "extensions"):
        if text := query.get(name):
            value = read_json(text.encode())
            if isinstance(value, NotJson):
                return BadRequest(400, f"The parameter '{name}' {value.reason}.")
            parameters[name] = value
    return parameters

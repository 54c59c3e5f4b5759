"""GraphQL over HTTP, as the specification of that name says: one request runs one operation and gets one response."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import UnionType
from typing import Any, Generic, TypeVar, assert_never, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from graphql_api.engine.errors import ErrorCode, public_error
from graphql_api.engine.executor import Answer, Executor, Kind, OperationRequest
from graphql_api.http.body import Disconnected, Encoded, TooLarge, read_body
from graphql_api.http.negotiation import GRAPHQL, HTML, JSON, is_json, preferred
from graphql_api.http.strict_json import Json, NotJson, read_json

# In order of preference: the specification wants application/json for clients that accept anything.
MEDIA_TYPES = (JSON, GRAPHQL)
# Raw headers, encoded once for each media type.
HEADERS = {
    media_type: [
        (b"cache-control", b"no-store"),
        (b"content-type", f"{media_type}; charset=utf-8".encode()),
    ]
    for media_type in MEDIA_TYPES
}

_PARAMETERS: dict[str, tuple[type | UnionType, str]] = {
    "query": (str, "a string"),
    "variables": (dict | None, "an object"),
    "operationName": (str | None, "a string"),
    "extensions": (dict | None, "an object"),
}

# Apollo's link looks for this message or its code, urql's exchange for the message; both then send the document.
PERSISTED_QUERY = Answer(
    Kind.REFUSED, errors=[public_error(ErrorCode.PERSISTED_QUERY_NOT_SUPPORTED, "PersistedQueryNotSupported")]
)

GivenContext = TypeVar("GivenContext")

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class BadRequest:
    """A request that is not GraphQL over HTTP. Its `message` is for the client."""

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


class NamedByHash:
    """A request whose `extensions.persistedQuery` names a document that it does not send."""


def no_cookie(_context: object) -> None:
    """For endpoints that set none."""


class GraphQLEndpoint(Generic[GivenContext]):
    """An ASGI application for `Route("/graphql", …)`; under a Mount, POST /graphql would be redirected.

    `cookie_of` is asked for a Set-Cookie when an operation has run. `graphiql` answers browsers.
    `queries_by_get` allows queries, but not mutations, by GET.
    """

    def __init__(
        self,
        *,
        executor: Executor,
        context_for: Callable[[Request], GivenContext],
        cookie_of: Callable[[GivenContext], str | None] = no_cookie,
        queries_by_get: bool,
        graphiql: Callable[[Request], Response] | None,
    ) -> None:
        self._executor = executor
        self._context_for = context_for
        self._cookie_of = cookie_of
        self._methods = ("GET", "POST") if queries_by_get else ("POST",)
        self._graphiql = graphiql

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        accept = _accept(request)
        if self._graphiql and request.method == "GET" and preferred(accept, (*MEDIA_TYPES, HTML)) == HTML:
            return self._graphiql(request)
        media_type = preferred(accept, MEDIA_TYPES)
        operation = await self._operation(request, media_type)
        if isinstance(operation, BadRequest):
            body = {"errors": [public_error(ErrorCode.BAD_REQUEST, operation.message)]}
            return _response(operation.status, body, media_type or JSON, operation.headers)
        if isinstance(operation, NamedByHash):
            return _answer_response(PERSISTED_QUERY, media_type or JSON)
        context = self._context_for(request)
        answer = await self._executor.execute(
            operation, context, mutation_allowed=request.method == "POST", departure=partial(departure, request)
        )
        response = _answer_response(answer, media_type or JSON)
        if cookie := self._cookie_of(context):
            response.headers.append("set-cookie", cookie)
        return response

    async def _operation(self, request: Request, media_type: str | None) -> OperationRequest | NamedByHash | BadRequest:
        if request.method not in self._methods and not (request.method == "GET" and _asks_by_hash(request)):
            allow = {"allow": ", ".join(self._methods)}
            return BadRequest(405, f"This address takes {' and '.join(self._methods)} only.", allow)
        if media_type is None:
            return BadRequest(406, f"The answer is {JSON} or {GRAPHQL}, and Accept takes neither.")
        parameters = await _posted(request) if request.method == "POST" else _in_query(request.query_params)
        return parameters if isinstance(parameters, BadRequest) else _checked(parameters)


def _accept(request: Request) -> str:
    return ",".join(request.headers.getlist("accept"))


async def _posted(request: Request) -> Json | BadRequest:
    if not is_json(request.headers.get("content-type", "")):
        return BadRequest(415, f"The Content-Type must be {JSON}, in UTF-8.")
    body = await read_body(request)
    match body:
        case TooLarge(limit):
            return BadRequest(413, f"The body is larger than {limit} bytes.")
        case Encoded():
            return BadRequest(415, "The body must have no Content-Encoding.", {"accept-encoding": "identity"})
        case Disconnected():
            return BadRequest(400, "The body is not complete.")
        case bytes():
            return _read(body)
    assert_never(body)


def _read(body: bytes) -> Json | BadRequest:
    value = read_json(body)
    return BadRequest(400, f"The body {value.reason}.") if isinstance(value, NotJson) else value


def _in_query(query: Mapping[str, str]) -> Json | BadRequest:
    parameters: dict[str, Json] = {"query": query.get("query"), "operationName": query.get("operationName") or None}
    for name in {"variables", "extensions"} & query.keys():
        value = read_json(query[name].encode())
        if isinstance(value, NotJson):
            return BadRequest(400, f"The parameter '{name}' {value.reason}.")
        parameters[name] = value
    return parameters


def _asks_by_hash(request: Request) -> bool:
    """Clients of persisted queries send hashes by GET even where queries by GET are off."""
    parameters = _in_query(request.query_params)
    return isinstance(parameters, dict) and _is_named_by_hash(parameters)


def _is_named_by_hash(parameters: Mapping[str, Json]) -> bool:
    extensions = parameters.get("extensions")
    return not parameters.get("query") and isinstance(extensions, dict) and extensions.get("persistedQuery") is not None


def _checked(parameters: Json) -> OperationRequest | NamedByHash | BadRequest:
    if isinstance(parameters, list):
        return BadRequest(400, "Batches are not supported: send one operation in one request.")
    if not isinstance(parameters, dict):
        return BadRequest(400, "The body must be a JSON object.")
    if _is_named_by_hash(parameters):
        return NamedByHash()
    for name, (expected, words) in _PARAMETERS.items():
        if not isinstance(parameters.get(name), expected):
            return BadRequest(400, f"The parameter '{name}' must be {words}.")
    return OperationRequest(
        query=cast("str", parameters["query"]),
        variables=cast("dict[str, Any] | None", parameters.get("variables")),
        operation_name=cast("str | None", parameters.get("operationName")),
    )


def _answer_response(answer: Answer, media_type: str) -> Response:
    body: dict[str, Any] = {}
    if answer.errors:
        body["errors"] = answer.errors
    if answer.kind in {Kind.EXECUTED, Kind.UNAVAILABLE}:
        body["data"] = answer.data
    headers = {} if answer.retry_after is None else {"retry-after": str(answer.retry_after)}
    match answer.kind:
        case Kind.EXECUTED:
            return _response(200, body, media_type, _challenge(answer))
        case Kind.REFUSED:
            return _response(400 if media_type == GRAPHQL else 200, body, media_type)
        case Kind.MUTATION_NOT_ALLOWED:
            return _response(405, body, media_type, {"allow": "POST"})
        case Kind.OVERLOADED | Kind.UNAVAILABLE:
            return _response(503, body, media_type, headers)
    assert_never(answer.kind)


def _challenge(answer: Answer) -> dict[str, str]:
    """The challenge for an UNAUTHENTICATED error, which RFC 9110 allows in responses other than 401."""
    codes = {error["extensions"]["code"] for error in answer.errors or ()}
    return {"www-authenticate": "Bearer"} if ErrorCode.UNAUTHENTICATED in codes else {}


def _response(status: int, body: dict[str, Any], media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    response = _PreparedResponse(status_code=status)
    response.body = _encode(body).encode()
    response.raw_headers = [
        *HEADERS[media_type],
        (b"content-length", str(len(response.body)).encode()),
        *((name.encode(), value.encode()) for name, value in (headers or {}).items()),
    ]
    return response


class _PreparedResponse(Response):
    """A response whose raw headers its maker sets, so that constant headers are encoded once."""

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """Leave the headers to `_response`."""


async def departure(request: Request) -> None:
    """Completes when the client has disconnected, which the server reports after the whole body."""
    while (await request.receive())["type"] != "http.disconnect":
        pass

"""GraphQL over HTTP, as the specification of that name says: one request runs one operation and gets one response."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from types import UnionType
from typing import Any, Generic, TypeVar, assert_never

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from graphql_api.engine.errors import UNAVAILABLE_RETRY_AFTER, ErrorCode, public_error
from graphql_api.engine.executor import Executor
from graphql_api.engine.outcome import Answer, Kind, OperationRequest, overloaded_answer
from graphql_api.http.event_stream import EVENT_STREAM, EventStream, EventStreams, encode
from graphql_api.http.named_documents import (
    NamedDocuments,
    NotFound,
    NotTrusted,
    WrongHash,
    document_hash,
    is_named,
)
from graphql_api.http.negotiation import GRAPHQL, HTML, JSON, preferred
from graphql_api.http.parameters import BadRequest, in_query, posted
from graphql_api.http.strict_json import Json

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
NOT_FOUND = Answer(Kind.REFUSED, errors=[public_error(ErrorCode.PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound")])
NOT_TRUSTED = Answer(
    Kind.REFUSED, errors=[public_error(ErrorCode.DOCUMENT_NOT_TRUSTED, "Only trusted documents are run here.")]
)

GivenContext = TypeVar("GivenContext")

WITH_HASH = ", and queries by GET with their SHA-256 (persisted queries)"

NO_ROOM = overloaded_answer(UNAVAILABLE_RETRY_AFTER)


def no_cookie(_context: object) -> None:
    """For endpoints that set none."""


class GraphQLEndpoint(Generic[GivenContext]):
    """An ASGI application for `Route("/graphql", …)`; under a Mount, POST /graphql would be redirected.

    `cookie_of` is asked for a Set-Cookie when an operation has run. `graphiql` answers browsers.
    `queries_by_get` allows queries, but not mutations, by GET; those that name their hash are allowed always.
    """

    def __init__(
        self,
        *,
        executor: Executor,
        context_for: Callable[[Request], GivenContext],
        streams: EventStreams,
        cookie_of: Callable[[GivenContext], str | None] = no_cookie,
        queries_by_get: bool,
        documents: NamedDocuments,
        graphiql: Callable[[Request], Response] | None,
    ) -> None:
        self._executor = executor
        self._context_for = context_for
        self._cookie_of = cookie_of
        self._methods = ("GET", "POST") if queries_by_get else ("POST",)
        self._documents = documents
        self._graphiql = graphiql
        self._streams = streams
        self._media_types = (*MEDIA_TYPES, EVENT_STREAM) if streams.are_offered else MEDIA_TYPES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        accept = ",".join(request.headers.getlist("accept"))
        media_type = preferred(accept, self._media_types)
        if media_type == EVENT_STREAM:
            with self._streams.one_more(request) as has_room:
                response = await self._stream(request) if has_room else _answer_response(NO_ROOM, JSON)
                await response(scope, receive, send)
            return
        response = await self._respond(request, accept, media_type)
        await response(scope, receive, send)

    async def _stream(self, request: Request) -> Response:
        """Any operation, as server-sent events."""
        operation = await self._operation(request, EVENT_STREAM)
        if isinstance(operation, BadRequest):
            return _bad_request(operation, JSON)
        if isinstance(operation, Answer):
            return _answer_response(operation, JSON)
        context, gone, is_post = self._context_for(request), partial(client_gone, request), request.method == "POST"
        answers = await self._executor.stream(operation, context, mutation_allowed=is_post, gone=gone)
        return self._with_cookie(EventStream((_body(answer) async for answer in answers), gone, self._streams), context)

    async def _respond(self, request: Request, accept: str, media_type: str | None) -> Response:
        if self._graphiql and request.method == "GET" and preferred(accept, (*MEDIA_TYPES, HTML)) == HTML:
            return self._graphiql(request)
        operation = await self._operation(request, media_type)
        if isinstance(operation, BadRequest):
            return _bad_request(operation, media_type or JSON)
        if isinstance(operation, Answer):
            return _answer_response(operation, media_type or JSON)
        prepared = await self._executor.prepare(operation, mutation_allowed=request.method == "POST")
        if isinstance(prepared, Answer):
            return _answer_response(prepared, media_type or JSON)
        context = self._context_for(request)
        answer = await self._executor.run(prepared, operation, context, partial(client_gone, request))
        return self._with_cookie(_answer_response(answer, media_type or JSON), context)

    def _with_cookie(self, response: Response, context: GivenContext) -> Response:
        if cookie := self._cookie_of(context):
            response.headers.append("set-cookie", cookie)
        return response

    async def _operation(self, request: Request, media_type: str | None) -> OperationRequest | Answer | BadRequest:
        if request.method not in self._methods and not (request.method == "GET" and _has_hash(request)):
            allow = {"allow": ", ".join(self._methods)}
            but = WITH_HASH if request.method == "GET" else ""
            return BadRequest(405, f"This address takes {' and '.join(self._methods)} only{but}.", allow)
        if media_type is None:
            return BadRequest(406, f"The answer is {JSON} or {GRAPHQL}, and Accept takes neither.")
        parameters = await posted(request) if request.method == "POST" else in_query(request.query_params)
        return parameters if isinstance(parameters, BadRequest) else self._checked(parameters)

    def _checked(self, parameters: Json) -> OperationRequest | Answer | BadRequest:
        if isinstance(parameters, list):
            return BadRequest(400, "Batches are not supported: send one operation in one request.")
        if not isinstance(parameters, dict):
            return BadRequest(400, "The body must be a JSON object.")
        digest = document_hash(parameters)
        if isinstance(digest, WrongHash):
            return BadRequest(400, "The hash of a document must be a SHA-256 in hexadecimal digits.")
        for name, (expected, words) in _PARAMETERS.items():
            if not isinstance(parameters.get(name), expected) and not (name == "query" and is_named(parameters)):
                return BadRequest(400, f"The parameter '{name}' must be {words}.")
        of_these_types: Mapping[str, Any] = parameters
        document = self._documents.text(of_these_types.get("query"), digest)
        match document:
            case str():
                return OperationRequest(document, of_these_types.get("variables"), of_these_types.get("operationName"))
            case WrongHash():
                return BadRequest(400, "The hash is not the SHA-256 of the document.")
            case NotFound():
                return NOT_FOUND
            case NotTrusted():
                return NOT_TRUSTED
        assert_never(document)


def _has_hash(request: Request) -> bool:
    """Whether a GET names its document by hash, with or without the document: the links of clients send both by GET."""
    parameters = in_query(request.query_params)
    return isinstance(parameters, dict) and isinstance(document_hash(parameters), str)


def _bad_request(bad: BadRequest, media_type: str) -> Response:
    body = {"errors": [public_error(ErrorCode.BAD_REQUEST, bad.message)]}
    return _response(bad.status, encode(body).encode(), media_type, bad.headers)


def _body(answer: Answer) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if answer.errors:
        body["errors"] = answer.errors
    if answer.kind in {Kind.EXECUTED, Kind.UNAVAILABLE}:
        body["data"] = answer.data
    return body


def _answer_response(answer: Answer, media_type: str) -> Response:
    if answer.kind is Kind.OVERLOADED and answer.retry_after is not None:
        return _refusal(answer.retry_after, media_type)
    return _made_of(answer, media_type)


@lru_cache(64)
def _refusal(retry_after: int, media_type: str) -> Response:
    """In a flood most responses are the same, so it is made once and sent many times."""
    return _made_of(overloaded_answer(retry_after), media_type)


def _made_of(answer: Answer, media_type: str) -> Response:
    body = encode(_body(answer)).encode()
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


def _response(status: int, body: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    response = _PreparedResponse(status_code=status)
    response.body = body
    response.raw_headers = [
        *HEADERS[media_type],
        (b"content-length", str(len(body)).encode()),
        *((name.encode(), value.encode()) for name, value in (headers or {}).items()),
    ]
    return response


class _PreparedResponse(Response):
    """A response whose raw headers its maker sets, so that constant headers are encoded once. It can be sent again."""

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """Leave the headers to `_response`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A copy, because outer layers add their headers to it.
        await send({"type": "http.response.start", "status": self.status_code, "headers": [*self.raw_headers]})
        await send({"type": "http.response.body", "body": self.body})


async def client_gone(request: Request) -> None:
    """Completes when the client has disconnected, which the server reports after the whole body."""
    while (await request.receive())["type"] != "http.disconnect":
        pass

"""The legacy door: a request goes through the contract's order of checks, and an answer out; it decides no more."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from registration.language import negotiate
from rest_compat.errors import (
    BODY_LIMIT,
    BODY_TOO_LARGE,
    ID_MISSING,
    INVALID_ACCESS_TOKEN,
    MISSING_ACCESS_TOKEN,
    NOT_FOUND,
    TWO_IDENTITIES,
)
from rest_compat.jsonapi import MEDIA_TYPE, POST_DATA_INVALID, Error, Presentation, error_document, read_attributes
from rest_compat.negotiation import header_refusal, is_decoded, is_versioned, preflight
from rest_compat.resource import Accepted, Answer, Call, Done, Listed, Operation, Refused, Resource, Shown

Verify = Callable[[str], Awaitable[str | None]]
"""The reference of the customer whose access token it is; None for any token that is not good."""

SECURITY_HEADERS = {
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Place:
    """What a path names."""

    resource: Resource
    id: str | None


@dataclass(frozen=True, slots=True)
class Door:
    """An ASGI application for every path: one that names no resource is answered with the contract's 404."""

    resources: Mapping[str, Resource]
    base_url: str
    verify: Verify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._respond(request)
        response.headers["Content-Language"] = negotiate(request.headers.get("accept-language", "")).locale
        response.headers.update(SECURITY_HEADERS)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        refusal = header_refusal(request)
        if refusal is not None:
            return refusal
        place = self._place_of(request)
        if place is None:
            return _error_response(Refused((NOT_FOUND,)))
        if request.method == "OPTIONS":
            return preflight(request, place.resource.operations)
        answer = await self._answer(request, place)
        return _response(answer, self._presentation_of(request, place.resource.type))

    def _place_of(self, request: Request) -> Place | None:
        path = str(request.scope["path"]).removeprefix(request.scope.get("root_path", ""))
        resource_type, *ids = path.strip("/").split("/")
        resource = self.resources.get(resource_type)
        if resource is None or len(ids) > 1:
            return None
        return Place(resource, ids[0] if ids else None)

    def _presentation_of(self, request: Request, resource_type: str) -> Presentation:
        fields = request.query_params.get(f"fields[{resource_type}]")
        wanted = None if fields is None else frozenset(fields.split(","))
        return Presentation(self.base_url, resource_type, request.scope["query_string"], wanted)

    async def _answer(self, request: Request, place: Place) -> Answer:
        operation = _operation_of(request, place)
        if operation is None:
            return Refused((NOT_FOUND,))
        attributes = await _attributes_of(request, place.resource.type)
        if isinstance(attributes, Error):
            return Refused((attributes,))
        if request.method in {"PATCH", "DELETE"} and place.id is None:
            return Refused((ID_MISSING,))
        caller = await self._caller_of(request, operation)
        if isinstance(caller, Error):
            return Refused((caller,))
        return await operation.answer(Call(request, place.id, attributes, caller))

    async def _caller_of(self, request: Request, operation: Operation) -> str | Error | None:
        """A token that is sent must be good, even where none is needed."""
        authorization = request.headers.get("authorization")
        if authorization is None:
            return MISSING_ACCESS_TOKEN if operation.protected else None
        if "x-anonymous-customer-unique-id" in request.headers:
            return TWO_IDENTITIES
        scheme, *tokens = authorization.split() or [""]
        if scheme.lower() != "bearer" or len(tokens) != 1:
            return INVALID_ACCESS_TOKEN
        return await self.verify(tokens[0]) or INVALID_ACCESS_TOKEN


def _operation_of(request: Request, place: Place) -> Operation | None:
    if is_versioned(request.headers) or (request.method == "POST" and place.id is not None):
        return None
    return place.resource.operations.get(request.method)


async def _attributes_of(request: Request, resource_type: str) -> Mapping[str, object] | Error:
    if request.method not in {"POST", "PATCH"}:
        return {}
    if not is_decoded(request.headers):
        return POST_DATA_INVALID
    content = await _read_body(request)
    return content if isinstance(content, Error) else read_attributes(content, resource_type)


async def _read_body(request: Request) -> bytes | Error:
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > BODY_LIMIT:
                return BODY_TOO_LARGE
    except ClientDisconnect:  # nobody reads the answer
        return POST_DATA_INVALID
    return bytes(content)


def _response(answer: Answer, presentation: Presentation) -> Response:
    match answer:
        case Shown(item, status):
            return _document(presentation.single(item), status)
        case Listed(items):
            return _document(presentation.collection(items), 200)
        case Accepted(attributes):
            return _document(presentation.without_id(attributes), 202)
        case Done():
            return Response(status_code=204)
        case Refused():
            return _error_response(answer)
    assert_never(answer)


def _error_response(refused: Refused) -> Response:
    response = _document(error_document(refused.errors), refused.errors[-1].status)
    if any(error.status == 401 for error in refused.errors):
        response.headers["WWW-Authenticate"] = 'Bearer realm="Access to shop API"'
    if refused.retry_after is not None:
        response.headers["Retry-After"] = str(refused.retry_after)
    return response


def _document(document: Mapping[str, object], status: int) -> Response:
    content = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return Response(content.encode(), status, media_type=MEDIA_TYPE)

"""The legacy door: a request goes through the contract's order of checks, and an answer out; it decides no more."""

from asyncio import to_thread
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias, assert_never

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from registration.notes import current_correlation_id
from registration.outcomes import Stage, Violation
from rest_compat.body import read_body
from rest_compat.caller import caller_of
from rest_compat.errors import ID_MISSING, INTERNAL_ERROR, NOT_FOUND, RETRY_AFTER, unavailable, violation_errors
from rest_compat.execution import Execute
from rest_compat.header_checks import header_refusal, is_decoded, is_versioned, preflight
from rest_compat.jsonapi import POST_DATA_INVALID, Error, Presentation, read_attributes
from rest_compat.resource import Accepted, Call, Done, Listed, Operation, Refused, Resource, RulesBroken, Shown
from rest_compat.response import document_response, error_response, language_of, with_contract_headers

MOST_FIELDS = 100
"""Of `fields[…]`; no resource has as many attributes."""

log = structlog.get_logger(__name__)

Told: TypeAlias = Shown | Listed | Accepted | Done | Refused
ReadJson: TypeAlias = Callable[[bytes], object]
"""Reads strict JSON; returns something that is no JSON value where the bytes are none."""


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
    execute: Execute
    read_json: ReadJson
    today: Callable[[], date]
    slow_rules: bool = False
    """Whether rules take longer than the event loop may stand still: a look into a file, a measure of strength."""
    outages: tuple[type[Exception], ...] = ()
    """What is raised where the database is gone; it is answered with a document, as every other outage."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except self.outages as error:
            log.error("database unavailable", reason=str(error))
            response = error_response(Refused((unavailable(current_correlation_id() or None),), RETRY_AFTER))
        await with_contract_headers(response, language_of(request))(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        refusal = header_refusal(request)
        if refusal is not None:
            return refusal
        place = self._place_of(request)
        if place is None:
            return error_response(Refused((NOT_FOUND,)))
        if request.method == "OPTIONS":
            return preflight(request, place.resource.methods)
        operation = _operation_of(request, place)
        if operation is None:
            return error_response(Refused((NOT_FOUND,)))
        answer = await self._answer(request, place, operation)
        return _response(answer, operation, self._presentation_of(request, place.resource.type))

    def _place_of(self, request: Request) -> Place | None:
        path = str(request.scope["path"]).removeprefix(request.scope.get("root_path", ""))
        resource_type, *ids = path.strip("/").split("/", 2)
        resource = self.resources.get(resource_type)
        if resource is None or len(ids) > 1:
            return None
        return Place(resource, ids[0] if ids else None)

    def _presentation_of(self, request: Request, resource_type: str) -> Presentation:
        fields = request.query_params.get(f"fields[{resource_type}]")
        wanted = None if fields is None else frozenset(fields.split(",", MOST_FIELDS))
        return Presentation(self.base_url, resource_type, request.scope["query_string"], wanted)

    async def _answer(self, request: Request, place: Place, operation: Operation) -> Told:
        """Groups 3 to 10 of the order of checks (contract 3.3): the first that fails answers alone."""
        attributes = await _attributes_of(request, place.resource.type, self.read_json)
        if isinstance(attributes, Error):
            return Refused((attributes,))
        if request.method in {"PATCH", "DELETE"} and place.id is None:
            return Refused((ID_MISSING,))
        call = await self._checked(request, place, operation, attributes)
        if isinstance(call, Refused):
            return await operation.blocked(request, attributes) or call
        answer = await operation.answer(call)
        return await self._why(operation, call) if isinstance(answer, RulesBroken) else answer

    async def _checked(
        self, request: Request, place: Place, operation: Operation, attributes: Mapping[str, object]
    ) -> Call | Refused:
        caller = await caller_of(self.execute, request, protected=operation.protected)
        if isinstance(caller, Refused):
            return caller
        known = {name: attributes[name] for name in operation.takes if name in attributes}
        call = Call(request, place.id, known, caller, self.today())
        violations = await self._violations(operation, call) if operation.rules_first else ()
        return _refusal(operation, call, violations) or call

    async def _violations(self, operation: Operation, call: Call) -> Sequence[Violation]:
        return await to_thread(operation.rules, call) if self.slow_rules else operation.rules(call)

    async def _why(self, operation: Operation, call: Call) -> Refused:
        """Why a mutation did not take what was sent; a bug of ours if no rule is broken."""
        return _refusal(operation, call, await self._violations(operation, call)) or Refused((INTERNAL_ERROR,))


def _refusal(operation: Operation, call: Call, violations: Sequence[Violation]) -> Refused | None:
    """Group 8 checks single attributes, group 9 that the resource is the caller's; group 10 has all other rules."""
    is_group_8 = any(violation.stage is Stage.ATTRIBUTE for violation in violations)
    if operation.foreign and not is_group_8 and not _is_own(call):
        return Refused((operation.foreign,))
    return Refused(violation_errors(violations, operation.confirms)) if violations else None


def _is_own(call: Call) -> bool:
    return call.caller is not None and call.id == call.caller["reference"]


def _operation_of(request: Request, place: Place) -> Operation | None:
    if is_versioned(request.headers):
        return None
    if place.id is not None or request.method in {"PATCH", "DELETE"}:
        return place.resource.single.get(request.method)
    return place.resource.collection.get(request.method)


async def _attributes_of(request: Request, resource_type: str, read_json: ReadJson) -> Mapping[str, object] | Error:
    if request.method not in {"POST", "PATCH"}:
        return {}
    if not is_decoded(request.headers):
        return POST_DATA_INVALID
    content = await read_body(request)
    return content if isinstance(content, Error) else read_attributes(read_json(content), resource_type)


def _response(answer: Told, operation: Operation, presentation: Presentation) -> Response:
    match answer:
        case Shown(item):
            return document_response(presentation.single(item), operation.status)
        case Listed(items):
            return document_response(presentation.collection(items), operation.status)
        case Accepted(attributes):
            return document_response(presentation.without_id(attributes), 202)
        case Done():
            return Response(status_code=operation.status)
        case Refused():
            return error_response(answer)
    assert_never(answer)

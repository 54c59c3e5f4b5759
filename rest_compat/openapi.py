"""The OpenAPI 3.1 description of the REST door, made from the tables by which the door checks requests."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from registration.outcomes import Stage
from rest_compat import oauth_token
from rest_compat.attributes import Schema
from rest_compat.document_schemas import (
    ERRORS,
    OAUTH_ERROR,
    STRING,
    Node,
    collection_document,
    document_without_id,
    request_document,
    single_document,
)
from rest_compat.errors import (
    BODY_ENCODED,
    BODY_TOO_LARGE,
    ID_MISSING,
    INTERNAL_ERROR,
    INVALID_ACCESS_TOKEN,
    MISSING_ACCESS_TOKEN,
    NOT_FOUND,
    TWO_IDENTITIES,
    UNAVAILABLE,
    stage_errors,
)
from rest_compat.header_checks import PLAIN_ERRORS
from rest_compat.jsonapi import INVALID_TYPE, MEDIA_TYPE, POST_DATA_INVALID, Error, error_document
from rest_compat.resource import Operation, Resource

JSON = "application/json"
PLAIN_TEXT = "text/plain"
TOKEN: Node = {"accessToken": []}
NO_TOKEN: Node = {}
DESCRIPTION = (
    "For clients of the Glue storefront API. The other door is GraphQL, at /graphql."
    " In the examples of errors, what stands in braces is filled in."
)


@dataclass(frozen=True, slots=True)
class DocumentedError:
    """An error as the description shows it: a media type, the name of a schema there, and an example."""

    error: Error
    media_type: str
    schema: str
    example: object

    @property
    def name(self) -> str:
        words = re.findall(r"[a-zA-Z0-9]+", f"{self.schema} {self.error.code or self.error.status} {self.error.detail}")
        return "-".join(words[:12])


def openapi_route(resources: Iterable[Resource], base_url: str) -> Route:
    @cache
    def content() -> bytes:
        """Made for the first request: most gateways get none, and the start need not wait for it."""
        return json.dumps(openapi(resources, base_url), separators=(",", ":")).encode()

    async def show(_request: Request) -> Response:
        return Response(content(), media_type=JSON)

    return Route("/openapi.json", show)


def openapi(resources: Iterable[Resource], base_url: str) -> Node:
    examples: dict[str, Node] = {}
    paths = {place: node for resource in resources for place, node in _paths(resource, examples).items()}
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Registration gateway: the JSON:API door",
            "version": version("registration-gateway"),
            "description": DESCRIPTION,
        },
        "servers": [{"url": base_url}],
        "paths": {**paths, oauth_token.PATH: {"post": _token_operation(examples)}},
        "components": {
            "schemas": {"Errors": ERRORS, "OAuthError": OAUTH_ERROR, "Text": STRING},
            "examples": examples,
            "securitySchemes": {"accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _paths(resource: Resource, examples: dict[str, Node]) -> Node:
    """Adds the examples that the operations refer to to `examples`."""
    places = {f"/{resource.type}": resource.collection, f"/{resource.type}/{{{resource.id_name}}}": resource.single}
    paths: Node = {}
    for place, operations in places.items():
        for method, operation in operations.items():
            node = _operation(resource.type, method, operation, examples)
            paths.setdefault(place, {})[method.lower()] = node | {"operationId": f"{method} {place}"}
    for place in paths.keys() - {f"/{resource.type}"}:
        paths[place]["parameters"] = [{"name": resource.id_name, "in": "path", "required": True, "schema": STRING}]
    return paths


def _operation(resource_type: str, method: str, operation: Operation, examples: dict[str, Node]) -> Node:
    documented = [*map(_documented, _errors(method, operation)), *map(_documented_text, PLAIN_ERRORS)]
    node: Node = {
        "tags": [resource_type],
        "summary": operation.summary,
        "security": [TOKEN] if operation.protected else [NO_TOKEN, TOKEN],
        "parameters": [{"name": name, "in": "header", "schema": schema} for name, schema in operation.headers.items()],
        "responses": _success(resource_type, operation) | _error_responses(documented, examples),
    }
    if operation.shows:
        node["parameters"].append(_fields(resource_type, operation.shows))
    if operation.takes:
        content = {"schema": request_document(resource_type, operation.takes)}
        node["requestBody"] = {"required": True, "content": {MEDIA_TYPE: content, JSON: content}}
    return node


def _token_operation(examples: dict[str, Node]) -> Node:
    documented = [*map(_documented_oauth, oauth_token.ERRORS), *map(_documented_text, oauth_token.PLAIN_ERRORS)]
    return {
        "tags": ["token"],
        "operationId": f"POST {oauth_token.PATH}",
        "summary": "Sign in, or stay signed in, as OAuth 2.0 says",
        "security": [NO_TOKEN, TOKEN],
        "requestBody": {"required": True, "content": {oauth_token.FORM: {"schema": oauth_token.REQUEST}}},
        "responses": {
            "200": _content("Done.", {JSON: {"schema": oauth_token.SHOWN}}),
            **_error_responses(documented, examples),
        },
    }


def _fields(resource_type: str, shows: Mapping[str, Schema]) -> Node:
    return {
        "name": f"fields[{resource_type}]",
        "in": "query",
        "description": "The only attributes to show, comma-separated.",
        "style": "form",
        "explode": False,
        "schema": {"type": "array", "items": {"type": "string", "enum": list(shows)}},
    }


def _success(resource_type: str, operation: Operation) -> Node:
    if operation.status == 204:
        return {"204": {"description": "Done."}}
    document = (collection_document if operation.lists else single_document)(resource_type, operation.shows)
    responses = {str(operation.status): _content("Done.", {MEDIA_TYPE: {"schema": document}})}
    if operation.may_accept:
        taken = {MEDIA_TYPE: {"schema": document_without_id(resource_type, operation.shows)}}
        responses["202"] = _content("Taken; whether the address is known is not told.", taken)
    return responses


def _errors(method: str, operation: Operation) -> list[Error]:
    """Every error document that the door and the operation can answer with."""
    errors = [NOT_FOUND, TWO_IDENTITIES, INVALID_ACCESS_TOKEN, UNAVAILABLE, *operation.errors]
    if operation.protected:
        errors.append(MISSING_ACCESS_TOKEN)
    if operation.foreign:
        errors.append(operation.foreign)
    if operation.takes:
        errors += [POST_DATA_INVALID, INVALID_TYPE, BODY_TOO_LARGE, BODY_ENCODED, *stage_errors(Stage.ATTRIBUTE)]
    if method in {"PATCH", "DELETE"}:
        errors.append(ID_MISSING)
    return errors


def _documented(error: Error) -> DocumentedError:
    if error == INTERNAL_ERROR:
        return _documented_text(error)
    return DocumentedError(error, MEDIA_TYPE, "Errors", error_document([error]))


def _documented_oauth(error: Error) -> DocumentedError:
    return DocumentedError(error, JSON, "OAuthError", oauth_token.error_body(error))


def _documented_text(error: Error) -> DocumentedError:
    return DocumentedError(error, PLAIN_TEXT, "Text", error.detail)


def _error_responses(documented: Iterable[DocumentedError], examples: dict[str, Node]) -> Node:
    answers: dict[str, Node] = {}
    for each in documented:
        answer = answers.setdefault(str(each.error.status), _content("Refused.", {}))
        media = answer["content"].setdefault(
            each.media_type, {"schema": _reference("schemas", each.schema), "examples": {}}
        )
        media["examples"][each.name] = _reference("examples", each.name)
        examples[each.name] = {"value": each.example}
    return answers


def _content(description: str, content: Node) -> Node:
    return {"description": description, "content": content}


def _reference(kind: str, name: str) -> Node:
    return {"$ref": f"#/components/{kind}/{name}"}

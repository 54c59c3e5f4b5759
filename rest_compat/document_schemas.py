"""JSON Schemas of the documents that the REST door reads and writes, for the published description."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from rest_compat.attributes import Attribute, Schema

Node: TypeAlias = dict[str, Any]
"""A part of a schema or of the description."""


def an_object(properties: Mapping[str, Schema], **more: object) -> Node:
    """All members are required, unless `required` is given."""
    return {"type": "object", "required": list(properties), "properties": dict(properties), **more}


STRING: Node = {"type": "string"}
LINKS = an_object({"self": STRING})
ERROR = an_object(
    {
        "detail": STRING,
        "status": {"type": "integer", "description": "That of the last error is the status of the answer."},
        "code": STRING,
    },
    required=["detail", "status"],
    additionalProperties=False,
)
ERRORS = an_object({"errors": {"type": "array", "minItems": 1, "items": ERROR}})
OAUTH_ERROR = an_object({"error": STRING, "error_description": STRING})


def request_document(resource_type: str, takes: Mapping[str, Attribute]) -> Node:
    attributes = an_object(
        {name: attribute.schema for name, attribute in takes.items()},
        required=[name for name, attribute in takes.items() if attribute.required],
    )
    return an_object({"data": an_object({"type": {"const": resource_type}, "attributes": attributes})})


def single_document(resource_type: str, shows: Mapping[str, Schema]) -> Node:
    return an_object({"data": _resource(resource_type, shows, {"id": {"type": ["string", "null"]}})})


def document_without_id(resource_type: str, shows: Mapping[str, Schema]) -> Node:
    return an_object({"data": _resource(resource_type, shows, {})})


def collection_document(resource_type: str, shows: Mapping[str, Schema]) -> Node:
    item = _resource(resource_type, shows, {"id": STRING})
    return an_object({"data": {"type": "array", "items": item}, "links": LINKS})


def _resource(resource_type: str, shows: Mapping[str, Schema], identity: Mapping[str, Schema]) -> Node:
    # `fields` picks some of the attributes; if it picks none, there is an empty list.
    attributes = {"anyOf": [an_object(shows, required=[]), {"type": "array", "maxItems": 0}]}
    return an_object(
        {"type": {"const": resource_type}, **identity, "attributes": attributes, "links": LINKS},
        additionalProperties=False,
    )

"""Group 1 of the order of checks: bad headers, which the contract answers in plain text (2.2, 2.5, 2.7)."""

import re
from collections.abc import Collection

from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from rest_compat.errors import (
    BLANK_CONTENT_TYPE,
    PAGINATION_INVALID,
    PREFLIGHT_INCOMPLETE,
    PREFLIGHT_REFUSED,
    UNKNOWN_FORMAT,
)
from rest_compat.jsonapi import MEDIA_TYPE, Error

PREFLIGHT_HEADERS = ("access-control-request-method", "access-control-request-headers", "origin")
ALLOWED_HEADERS = (
    "accept",
    "content-type",
    "content-language",
    "accept-language",
    "authorization",
    "x-anonymous-customer-unique-id",
    "idempotency-key",  # ours: a browser sends only headers that are listed
)
PLAIN_ERRORS = (PAGINATION_INVALID, UNKNOWN_FORMAT, BLANK_CONTENT_TYPE)
"""The plain-text errors of any request but OPTIONS."""
INTEGER = re.compile(r"\s*[+-]?(0|[1-9][0-9]{0,17})\s*", re.ASCII)


def header_refusal(request: Request) -> Response | None:
    if request.method == "OPTIONS" and any(name not in request.headers for name in PREFLIGHT_HEADERS):
        return plain_text(PREFLIGHT_INCOMPLETE)
    if not _pages_are_integers(request.query_params):
        return plain_text(PAGINATION_INVALID)
    if not _accepts_json(request.headers):
        return plain_text(UNKNOWN_FORMAT)
    if request.headers.get("content-type", "some").strip() == "":
        return plain_text(BLANK_CONTENT_TYPE)
    return None


def preflight(request: Request, methods: Collection[str]) -> Response:
    """The answer to OPTIONS for a resource that serves these methods."""
    allowed_methods = [*methods, "OPTIONS"]
    asked_headers = request.headers["access-control-request-headers"].lower().split(",")
    asked_method = request.headers["access-control-request-method"]
    if asked_method not in allowed_methods or {name.strip() for name in asked_headers} - {*ALLOWED_HEADERS, ""}:
        return plain_text(PREFLIGHT_REFUSED)
    return Response(
        headers={
            "Access-Control-Allow-Methods": ", ".join(allowed_methods),
            "Access-Control-Allow-Headers": ", ".join(ALLOWED_HEADERS),
        }
    )


def plain_text(error: Error) -> Response:
    return PlainTextResponse(error.detail, error.status)


def is_versioned(headers: Headers) -> bool:
    """Whether the Content-Type asks for a version; our resources have none."""
    return any(part.strip().lower().startswith("version=") for part in _content_type(headers)[1:])


def is_decoded(headers: Headers) -> bool:
    """Whether the body has a format that the door reads: any but the other ones of the vnd.api family."""
    return not _is_other_format(_content_type(headers)[0])


def _content_type(headers: Headers) -> list[str]:
    return headers.get("content-type", "").split(";")


def _accepts_json(headers: Headers) -> bool:
    accept = headers.get("accept", "*/*").split(",")
    return not all(_is_other_format(item.partition(";")[0]) for item in accept)


def _is_other_format(media_type: str) -> bool:
    name = media_type.strip().lower()
    return name.startswith(MEDIA_TYPE.removesuffix("json")) and name != MEDIA_TYPE


def _pages_are_integers(query: QueryParams) -> bool:
    return all(_is_page(name, value) for name, value in query.multi_items() if re.match(r"page\[", name))


def _is_page(name: str, value: str) -> bool:
    return INTEGER.fullmatch(value) is not None and (name != "page[limit]" or int(value) > 0)

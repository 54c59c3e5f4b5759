"""Responses of the REST door: the headers that all of them have, and how a document becomes one."""

import json
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from registration.language import Language, negotiate
from registration.notes import note
from rest_compat.errors import INTERNAL_ERROR
from rest_compat.jsonapi import MEDIA_TYPE, error_document
from rest_compat.resource import Refused

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="Access to shop API"'}
SECURITY_HEADERS = {
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",  # tokens and personal data; the contract names no value
}
# Raw headers, encoded once for each language.
_HEADERS_OF_ALL = {
    language: Headers({"Content-Language": language.locale, **SECURITY_HEADERS}).raw for language in Language
}

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def document_response(document: Mapping[str, object], status: int) -> Response:
    return json_response(document, status, MEDIA_TYPE)


def json_response(value: Mapping[str, object], status: int, media_type: str) -> Response:
    return Response(_encode(value).encode(), status, media_type=media_type)


def error_response(refused: Refused) -> Response:
    note(code=refused.errors[0].code)  # for the log line of the request
    if INTERNAL_ERROR in refused.errors:  # the same words as for every other fault of ours
        return PlainTextResponse(INTERNAL_ERROR.detail, INTERNAL_ERROR.status)
    response = document_response(error_document(refused.errors), refused.errors[-1].status)
    response.headers.update(refusal_headers(refused))
    return response


def refusal_headers(refused: Refused) -> dict[str, str]:
    is_challenge = any(error.status == 401 for error in refused.errors)
    wait = {} if refused.retry_after is None else {"Retry-After": str(refused.retry_after)}
    encoding = {"Accept-Encoding": "identity"} if any(error.status == 415 for error in refused.errors) else {}
    return (CHALLENGE if is_challenge else {}) | wait | encoding


def with_contract_headers(response: Response, language: Language) -> Response:
    """Add the headers that all responses have (contract 2.3)."""
    response.raw_headers += _HEADERS_OF_ALL[language]
    return response


def language_of(request: Request) -> Language:
    """The language of the Accept-Language header."""
    return negotiate(request.headers.get("accept-language", ""))

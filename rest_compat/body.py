"""The body of a request, read up to a limit in bytes."""

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request

from rest_compat.errors import BODY_ENCODED, BODY_LIMIT, BODY_TOO_LARGE
from rest_compat.jsonapi import POST_DATA_INVALID, Error


async def read_body(request: Request) -> bytes | Error:
    if _is_encoded(request.headers):
        return BODY_ENCODED
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > BODY_LIMIT:
                return BODY_TOO_LARGE
    except ClientDisconnect:  # the client is gone: no answer reaches it
        return POST_DATA_INVALID
    return bytes(content)


def _is_encoded(headers: Headers) -> bool:
    codings = ",".join(headers.getlist("content-encoding")).split(",")
    return any(coding.strip().lower() not in {"", "identity"} for coding in codings)

"""The body of a request, read up to a limit in bytes."""

from starlette.requests import ClientDisconnect, Request

from rest_compat.errors import BODY_LIMIT, BODY_TOO_LARGE
from rest_compat.jsonapi import POST_DATA_INVALID, Error


async def read_body(request: Request) -> bytes | Error:
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > BODY_LIMIT:
                return BODY_TOO_LARGE
    except ClientDisconnect:  # the client is gone: no answer reaches it
        return POST_DATA_INVALID
    return bytes(content)

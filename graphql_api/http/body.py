"""The body of a request, read up to a limit in bytes."""

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request

BODY_LIMIT = 64 * 1024
"""Bytes. A sign-up needs about one thousand."""


@dataclass(frozen=True, slots=True)
class TooLarge:
    """More than `limit` bytes, by Content-Length or by what arrived; the rest was not read."""

    limit: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """The body is compressed (RFC 9110, 8.4), and we unpack none: a few bytes could become gigabytes."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The client went away before it had sent the whole body."""


async def read_body(request: Request, limit: int = BODY_LIMIT) -> bytes | TooLarge | Encoded | Disconnected:
    if _is_encoded(request.headers):
        return Encoded()
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > len(str(limit)) or int(announced) > limit):
        return TooLarge(limit)
    body = b""
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            return Disconnected()
        chunk: bytes = message.get("body", b"")
        body += chunk
        if len(body) > limit:
            return TooLarge(limit)
        if not message.get("more_body", False):
            return body


def _is_encoded(headers: Headers) -> bool:
    codings = ",".join(headers.getlist("content-encoding"))
    return codings != "" and any(coding.strip().lower() not in {"", "identity"} for coding in codings.split(","))

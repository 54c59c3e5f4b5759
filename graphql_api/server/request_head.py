"""What RFC 9112 asks of the head of a request and the parser leaves to us: version, host, and the end of the body.

It also limits the headers, list items and parameters of a request: later code splits them, partly on the event loop.
"""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

# RFC 9110, 7.2 and RFC 3986, 3.2.2: a name, an IPv4 address, or an IP literal in brackets, and a port.
HOST = re.compile(rb"(?:\[[0-9A-Za-z:._~!$&'()*+,;=-]+\]|[0-9A-Za-z._~%!$&'()*+,;=-]*)(?::[0-9]*)?")

# Bytes. httptools cannot split more. Refresh tokens of legacy clients stand in paths, and have about 3,000.
URL_LIMIT = 65_535

MOST_PARAMETERS = 100
"""Of an address. A query by GET has five."""

MOST_HEADERS = 100
MOST_ITEMS = 500
"""Of all lists in the headers together. A browser sends about fifty, and one for each cookie."""

DROPPED: deque[Any] = deque(maxlen=0)
"""Where trailers go: they are no headers (RFC 9110, 6.5.1), and a proxy may not have looked at them."""


class EarlyAnswer(NamedTuple):
    """An answer in plain text that ends the connection. `status` is its code and phrase, `text` is ASCII."""

    status: bytes
    text: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(slots=True)
class HeadState:
    """What is known of the head of one request while it comes in. Sizes are in bytes."""

    is_open: bool = False
    """Whether it has begun and not ended."""
    size: int = 0
    """Of the reads after the one in which it began."""
    url_dropped: int = 0
    """What came of the URL beyond its limit."""
    is_refused: bool = False
    """Whether it is answered without the application."""
    refusal: EarlyAnswer | None = None
    wants_upgrade: bool = False
    has_open_body: bool = False
    """Whether the request was accepted and its body has not ended."""


TOO_LARGE = EarlyAnswer(b"431 Request Header Fields Too Large", "The head of the request has too many bytes.\n")
TOO_MANY = EarlyAnswer(
    b"431 Request Header Fields Too Large",
    f"The request has more than {MOST_HEADERS} headers, or more than {MOST_ITEMS} items in them.\n",
)
URL_TOO_LONG = EarlyAnswer(b"414 URI Too Long", f"The address of the request is longer than {URL_LIMIT} bytes.")
TOO_MANY_PARAMETERS = EarlyAnswer(
    b"400 Bad Request", f"The address of the request has more than {MOST_PARAMETERS} parameters.\n"
)
BUSY = EarlyAnswer(b"503 Service Unavailable", "Too many connections are open.\n", ((b"retry-after", b"5"),))
OTHER_VERSION = EarlyAnswer(b"400 Bad Request", "This server speaks HTTP/1.1.\n")
NO_HOST = EarlyAnswer(b"400 Bad Request", "The request needs one header Host.\n")
BAD_HOST = EarlyAnswer(b"400 Bad Request", "The header Host names no host.\n")
UNKNOWN_LENGTH = EarlyAnswer(b"400 Bad Request", "The header Transfer-Encoding leaves the length of the body open.\n")
UNKNOWN_CODING = EarlyAnswer(b"501 Not Implemented", "This server knows the transfer coding chunked only.\n")
CONNECT = EarlyAnswer(b"400 Bad Request", "CONNECT is not for this server.")


def refusal_of(url: bytes, headers: Sequence[tuple[bytes, bytes]], http_version: str) -> EarlyAnswer | None:
    """Why the request is refused before it is answered; names of headers are in lower case."""
    if http_version not in {"1.0", "1.1"}:  # the parser takes 2.0
        return OTHER_VERSION
    if len(headers) > MOST_HEADERS:
        return TOO_MANY
    hosts, codings, size = [], [], 0
    for name, value in headers:
        size += len(value)
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding":
            codings.append(value)
    if size > MOST_ITEMS and _separators(headers) > MOST_ITEMS:
        return TOO_MANY
    if url.count(b"&") >= MOST_PARAMETERS:
        return TOO_MANY_PARAMETERS
    return _host_refusal(hosts, http_version) or (_coding_refusal(codings, http_version) if codings else None)


def _separators(headers: Sequence[tuple[bytes, bytes]]) -> int:
    values = b"".join([value for _, value in headers])
    return values.count(b",") + values.count(b";")


def _host_refusal(hosts: list[bytes], http_version: str) -> EarlyAnswer | None:
    """RFC 9112, 3.2: HTTP/1.0 had no Host."""
    if len(hosts) != 1:
        return None if not hosts and http_version == "1.0" else NO_HOST
    return None if HOST.fullmatch(hosts[0]) else BAD_HOST


def _coding_refusal(codings: list[bytes], http_version: str) -> EarlyAnswer | None:
    """RFC 9112, 6.1: chunked comes last, and once; HTTP/1.0 has no codings."""
    names = [name for name in (coding.strip() for coding in b",".join(codings).lower().split(b",")) if name]
    if http_version == "1.0" or names[-1:] != [b"chunked"] or names.count(b"chunked") > 1:
        return UNKNOWN_LENGTH
    return UNKNOWN_CODING if len(names) > 1 else None


def without_upgrade(method: bytes, url: bytes, http_version: str, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The head of the same request without its header Upgrade."""
    kept = (name + b": " + value for name, value in headers if name != b"upgrade")
    return b"\r\n".join([method + b" " + url + b" HTTP/" + http_version.encode(), *kept, b"", b""])

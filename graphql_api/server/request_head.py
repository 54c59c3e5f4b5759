"""What RFC 9112 asks of the head of a request and the parser leaves to us: version, host, and the end of the body."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

# RFC 9110, 7.2 and RFC 3986, 3.2.2: a name, an IPv4 address, or an IP literal in brackets, and a port.
HOST = re.compile(rb"(?:\[[0-9A-Za-z:._~!$&'()*+,;=-]+\]|[0-9A-Za-z._~%!$&'()*+,;=-]*)(?::[0-9]*)?")


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
    is_url_refused: bool = False
    """Whether that is answered."""
    refusal: EarlyAnswer | None = None
    wants_upgrade: bool = False


OTHER_VERSION = EarlyAnswer(b"400 Bad Request", "This server speaks HTTP/1.1.\n")
NO_HOST = EarlyAnswer(b"400 Bad Request", "The request needs one header Host.\n")
BAD_HOST = EarlyAnswer(b"400 Bad Request", "The header Host names no host.\n")
UNKNOWN_LENGTH = EarlyAnswer(b"400 Bad Request", "The header Transfer-Encoding leaves the length of the body open.\n")
UNKNOWN_CODING = EarlyAnswer(b"501 Not Implemented", "This server knows the transfer coding chunked only.\n")


def refusal_of(headers: Iterable[tuple[bytes, bytes]], http_version: str) -> EarlyAnswer | None:
    """Why the request is refused before it is answered; names of headers are in lower case."""
    if http_version not in {"1.0", "1.1"}:  # the parser takes 2.0
        return OTHER_VERSION
    hosts, codings = [], []
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding":
            codings += value.lower().split(b",")
    return _host_refusal(hosts, http_version) or (_coding_refusal(codings, http_version) if codings else None)


def _host_refusal(hosts: list[bytes], http_version: str) -> EarlyAnswer | None:
    """RFC 9112, 3.2: HTTP/1.0 had no Host."""
    if len(hosts) != 1:
        return None if not hosts and http_version == "1.0" else NO_HOST
    return None if HOST.fullmatch(hosts[0]) else BAD_HOST


def _coding_refusal(codings: list[bytes], http_version: str) -> EarlyAnswer | None:
    """RFC 9112, 6.1: chunked comes last, and once; HTTP/1.0 has no codings."""
    names = [name for name in (coding.strip() for coding in codings) if name]
    if http_version == "1.0" or names[-1:] != [b"chunked"] or names.count(b"chunked") > 1:
        return UNKNOWN_LENGTH
    return UNKNOWN_CODING if len(names) > 1 else None

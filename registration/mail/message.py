"""A mail as mail servers take it: its envelope, and its bytes (RFC 5322, RFC 2045).

Without the email package: it parses every header that it is given, which took most of the time of a mail.
"""

from binascii import b2a_qp
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.header import Header
from email.utils import formataddr
from functools import lru_cache

LONGEST_LINE = 998  # characters (RFC 5322, 2.1.1)


@dataclass(frozen=True, slots=True)
class Message:
    """The addresses of the envelope, and the content, whose lines end with CRLF."""

    sender: str
    recipient: str = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def needs_smtputf8(self) -> bool:
        """Whether only mail servers that offer SMTPUTF8 (RFC 6531) can take it."""
        return not (self.sender + self.recipient).isascii()


def alternatives(headers: Mapping[str, str], text: str, html: str, boundary: str) -> bytes:
    """A mail with a plain and an HTML part.

    `headers` are written as they are: their values hold no line end, or were encoded. No part has the boundary in it.
    """
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return b"".join(
        (
            f'{head}MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'.encode(),
            f"\r\n--{boundary}\r\n".encode(),
            _part("plain", text),
            f"\r\n--{boundary}\r\n".encode(),
            _part("html", html),
            f"\r\n--{boundary}--\r\n".encode(),
        )
    )


def _part(subtype: str, text: str) -> bytes:
    lines = text.splitlines()
    content = ("\r\n".join(lines) + "\r\n").encode()
    # No 8-bit text, which not every server takes.
    is_plain = content.isascii() and max(map(len, lines), default=0) <= LONGEST_LINE
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: "
    if is_plain:
        return f"{head}7bit\r\n\r\n".encode() + content
    return f"{head}quoted-printable\r\n\r\n".encode() + b2a_qp(content)


@lru_cache(maxsize=1024)  # subjects are few: those of each kind and language
def unstructured(text: str, header: str) -> str:
    """A text as the value of a header, in encoded words (RFC 2047) where it is not ASCII."""
    charset = "us-ascii" if text.isascii() else "utf-8"
    return Header(text, charset, header_name=header).encode(linesep="\r\n")


@lru_cache(maxsize=16)  # of an installation there is one
def mailbox(name: str, address: str, header: str) -> str:
    """An address with a name as the value of a header."""
    return formataddr((name, address)) if name.isascii() else f"{unstructured(name, header)} <{address}>"

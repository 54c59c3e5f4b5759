"""E-mail addresses: which ones are valid, and when two are the same (decision 0005). No look-up in the network."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from unicodedata import normalize

from email_validator import EmailNotValidError, validate_email

LOCAL_PART_MAX_OCTETS = 64  # RFC 5321, 4.5.3.1.1; in UTF-8 (RFC 6531, 3.3)
MAX_LENGTH = 100  # of the legacy wire contract, in characters
# A cheap check; the full grammar (RFC 5321, 5322, 6531) is the library's.
SHAPE = re.compile(r"[^\s@]+@([^\s@]+)")
# Local parts and domains that are valid or not independently of each other; labels with xn-- hide other letters.
PLAIN_LOCAL = re.compile(r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*")
PLAIN_DOMAIN = re.compile(r"(?!.*--)[A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """A valid address: as it was typed, and the key under which addresses are compared."""

    text: str = field(repr=False)
    key: str = field(repr=False)

    def __str__(self) -> str:
        return self.text


NO_EMAIL = EmailAddress("", "")
"""Stands for an address that could not be read."""


def read_email(text: str) -> EmailAddress | None:
    """The address, or None when the text is no address; see `email_key`."""
    key = email_key(text)
    return None if key is None else EmailAddress(text, key)


def is_deliverable(address: EmailAddress) -> bool:
    """Whether servers must take mail for it. Older accounts may have longer local parts, so the key does not ask."""
    return len(address.text.rpartition("@")[0].encode()) <= LOCAL_PART_MAX_OCTETS


def key_of_stored(text: str) -> str:
    """The key of an address that is stored, which was valid when it was written."""
    key = email_key(text)
    assert key is not None, "a stored address is valid"
    return key


def has_shape(text: str) -> bool:
    """Whether a text is something, one `@`, and something with a dot inside; takes linear time for any text."""
    match = SHAPE.fullmatch(text)
    return match is not None and "." in match[1][1:-1]


@lru_cache(maxsize=64)  # a sign-up needs its key more than once: in the rules of its door, and for the claim
def email_key(text: str) -> str | None:
    """The form under which addresses are compared, or None when the text is no address.

    Local part: lower case, in NFC. Domain: IDNA 2008 with the UTS 46 mapping, as `xn--` labels, lower case.
    Neither NFKC nor case folding, which would join addresses that mail servers tell apart (sharp s and ss).
    Refused, because it serves only disguise: a local part with a letter that NFC turns into ASCII (the Kelvin sign
    into K), or with the start of an encoded word (RFC 2047), which a mail would hold decoded, line feeds and all.
    """
    if len(text) > 320 or not has_shape(text):
        return None
    local, _, domain = text.rpartition("@")
    if len(text) <= MAX_LENGTH and PLAIN_LOCAL.fullmatch(local) and PLAIN_DOMAIN.fullmatch(domain):
        key = _key_at_plain_domain(domain)
        return None if key is None else f"{local.lower()}{key}"
    return _key_by_library(text)


@lru_cache(maxsize=1024)
def _key_at_plain_domain(domain: str) -> str | None:
    """The end of a key, from the @ on; None if the domain is none. Cached: the library is slow, and domains recur."""
    key = _key_by_library(f"a@{domain}")
    return None if key is None else key[1:]


def _key_by_library(text: str) -> str | None:
    local = text.rpartition("@")[0]
    if "=?" in local or any(not letter.isascii() and normalize("NFC", letter).isascii() for letter in local):
        return None
    try:
        # Domains under .test are accepted, so that an operator can try the service; other reserved names are not.
        address = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    # Lower case can undo NFC: there is one letter for a small J with caron, and none for the capital.
    return f"{normalize('NFC', normalize('NFC', local).lower())}@{address.ascii_domain.lower()}"

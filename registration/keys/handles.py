"""Handles and codes: what a tab that waits for a confirmation holds, and what its reader types from the mail.

Both derive from the secret. A handle names a sign-up and proves that it came from us, so nothing is stored for it; a
code is stored as a digest under the secret, and is worth nothing without the handle of the same sign-up.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from registration.keys.secret import Secret

ID_SIZE, TIME_SIZE, PROOF_SIZE = 16, 4, 16
LENGTH = 48  # characters: 36 bytes in base64url
CODE_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Handle:
    """The sign-up that a handle names: the id of its customer, real or decoy, and its moment in whole seconds."""

    customer_id: UUID
    issued_at: datetime


def handle_of(secret: Secret, customer_id: UUID, issued_at: datetime) -> str:
    """48 characters of base64url; the same sign-up always has the same handle."""
    named = customer_id.bytes + int(issued_at.timestamp()).to_bytes(TIME_SIZE, "big")
    return urlsafe_b64encode(named + _proof(secret, named)).decode()


def read_handle(secret: Secret, text: str) -> Handle | None:
    """The sign-up that a handle names; None for a text that is none of ours."""
    if len(text) != LENGTH or not text.isascii():
        return None
    try:
        raw = urlsafe_b64decode(text)
    except ValueError:
        return None
    named, proof = raw[: ID_SIZE + TIME_SIZE], raw[ID_SIZE + TIME_SIZE :]
    if not any(hmac.compare_digest(_proof(each, named), proof) for each in secret.versions()):
        return None
    seconds = int.from_bytes(named[ID_SIZE:], "big")
    return Handle(UUID(bytes=named[:ID_SIZE]), datetime.fromtimestamp(seconds, UTC))


def code_of(secret: Secret, token_id: UUID) -> str:
    """The six digits that a mail shows besides its link; the same token always has the same code."""
    return f"{int(secret.derive('confirmation code', str(token_id)), 16) % 10**CODE_DIGITS:0{CODE_DIGITS}}"


def code_digest(secret: Secret, customer_id: UUID, code: str) -> str:
    """What the database keeps of a code: 64 hex characters, which only the secret makes of six digits."""
    return secret.derive("digest of a confirmation code", str(customer_id), code)


def is_code(secret: Secret, customer_id: UUID, code: str, digest: str) -> bool:
    """Whether a digest is that of a code, under this secret or the one before."""
    return any(hmac.compare_digest(code_digest(each, customer_id, code), digest) for each in secret.versions())


def _proof(secret: Secret, named: bytes) -> bytes:
    return bytes.fromhex(secret.derive("sign-up handle", named.hex()))[:PROOF_SIZE]

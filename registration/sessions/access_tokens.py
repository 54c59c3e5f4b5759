"""Access tokens: JWTs that name a customer and a session; they are not stored."""

import json
import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from secrets import token_hex
from typing import Any
from uuid import UUID

import jwt
from sqlalchemy import Connection, bindparam, select

from registration.customer import Customer, customer_of
from registration.services import Services
from registration.storage import tables
from registration.storage.references import number_in

# Far longer than a token of ours; longer texts are refused before anything is decoded.
MAX_LENGTH = 4096
SHAPE = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
# What the clocks of two nodes may differ by.
CLOCK_SKEW = timedelta(seconds=1)
SCOPES = ("customer",)
# The customer of a token, and its session if that is the customer's; built once, because building takes as long as
# running it.
CUSTOMER_AND_SESSION = (
    select(
        tables.customer,
        tables.session.c.id.label("session_id"),
        tables.session.c.created_at.label("signed_in_at"),
        tables.session.c.ended_at,
    )
    .outerjoin(
        tables.session,
        (tables.session.c.id == bindparam("session_id")) & (tables.session.c.customer_id == tables.customer.c.id),
    )
    .where(tables.customer.c.id == bindparam("customer_id"))
)


class BadToken(Enum):
    """Why an access token names no caller."""

    INVALID = "not a token of ours, or not at this time"
    REVOKED = "ours and not expired, but its session has ended, its customer is blocked, erased, or has a new password"


@dataclass(frozen=True, slots=True)
class Caller:
    """The customer who sent a request, and the session of its access token, which was opened at `signed_in_at`."""

    customer: Customer = field(repr=False)
    session_id: UUID
    signed_in_at: datetime


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """The claims of an access token that we read."""

    customer_id: UUID
    reference: str
    session_id: UUID
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token is issued for, and the moment it counts from."""

    customer_id: UUID
    reference: str
    session_id: UUID
    session_ends_at: datetime
    now: datetime


def expiry(services: Services, grant: Grant) -> datetime:
    """When an access token of this grant expires: with its session at the latest."""
    return min(grant.now + services.sessions.access_token, grant.session_ends_at)


def issue(services: Services, grant: Grant) -> str:
    """A token of the session, signed with the newest key."""
    key = services.signing_keys.newest()
    claims = {
        "aud": services.sessions.audience,
        "jti": grant.session_id.hex + token_hex(24),
        "iat": grant.now.timestamp(),
        "nbf": grant.now.timestamp(),
        "exp": expiry(services, grant).timestamp(),
        "sub": _subject(grant.reference),
        "customer_id": str(grant.customer_id),
        "scopes": SCOPES,
    }
    return jwt.encode(claims, key.private, key.algorithm, headers={"kid": key.kid})


def _subject(reference: str) -> str:
    """A text that holds JSON, because legacy clients read it so.

    `id_customer` is an integer there or absent: clients that expect one read a number into anything (decision 0029).
    """
    number = number_in(reference)
    return json.dumps({"customer_reference": reference} | ({} if number is None else {"id_customer": number}))


def authenticate(services: Services, token: str) -> Caller | BadToken:
    """The caller of a request with this token."""
    claims = _claims_of(services, token)
    if claims is None:
        return BadToken.INVALID
    return services.database.read(lambda connection: _caller(connection, claims))


def _claims_of(services: Services, token: str) -> TokenClaims | None:
    if len(token) > MAX_LENGTH or not SHAPE.fullmatch(token):
        return None
    try:
        # Time is compared below, with the clock of the services.
        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        key = services.signing_keys.find(_kid_of(token))
        if key is None:
            return None
        read = jwt.decode(token, key.public, [key.algorithm], options, audience=services.sessions.audience)
    except (jwt.PyJWTError, LookupError, TypeError, ValueError, RecursionError):
        return None
    return _claims_if_valid(read, services.clock())


def _kid_of(token: str) -> str:
    """The id of the key in the header, which is read as a whole when the signature is checked.

    Raises LookupError, TypeError, ValueError or RecursionError when there is none.
    """
    header = token.partition(".")[0]
    return str(json.loads(urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"])


def _claims_if_valid(read: dict[str, Any], now: datetime) -> TokenClaims | None:
    """The claims, if they have our form and hold now; else None.

    A token that was signed with our key may have another form or purpose: that of the shop that is replaced, or of
    another service.
    """
    try:
        if SCOPES[0] not in list(read["scopes"]):
            return None
        issued_at, not_before, expires_at = (datetime.fromtimestamp(read[name], UTC) for name in ("iat", "nbf", "exp"))
        subject = json.loads(read["sub"])
        # Without the claim, the token was issued by a version that had the id in the subject.
        customer_id = UUID(read["customer_id"] if "customer_id" in read else subject["id_customer"])
        claims = TokenClaims(customer_id, subject["customer_reference"], UUID(hex=read["jti"][:32]), issued_at)
    # A moment that no calendar has is an OverflowError or an OSError, by the size of its number.
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, OSError, RecursionError):
        return None
    return claims if max(issued_at, not_before) <= now + CLOCK_SKEW and now < expires_at else None


def _caller(connection: Connection, claims: TokenClaims) -> Caller | BadToken:
    asked = {"session_id": claims.session_id, "customer_id": claims.customer_id}
    row = connection.execute(CUSTOMER_AND_SESSION, asked).one_or_none()
    if row is None or row.reference != claims.reference:
        return BadToken.INVALID
    if row.anonymized_at or row.blocked_at:  # erasure has deleted the session
        return BadToken.REVOKED
    if row.session_id is None:
        return BadToken.INVALID
    if row.ended_at or (row.password_changed_at and claims.issued_at <= row.password_changed_at):
        return BadToken.REVOKED
    return Caller(customer_of(row), claims.session_id, row.signed_in_at)

"""Access tokens: JWTs that name a customer and a session; they are not stored."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import partial
from secrets import token_hex
from typing import Any
from uuid import UUID

import jwt
from sqlalchemy import Connection, Row, bindparam, select

from registration.customer import Customer, customer_of
from registration.keys.signing_keys import Algorithm
from registration.services import Services, SessionTerms
from registration.storage import tables
from registration.storage.references import number_in

# Far longer than a token of ours; longer texts are refused before anything is decoded.
MAX_LENGTH = 4096
SHAPE = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
# What the clocks of two nodes may differ by.
CLOCK_SKEW = timedelta(seconds=1)
SCOPES = ("customer",)
# The customers of tokens, each with those sessions of the tokens that are the customer's; built once, because building
# takes as long as running it.
CUSTOMERS_AND_SESSIONS = (
    select(
        tables.customer,
        tables.session.c.id.label("session_id"),
        tables.session.c.created_at.label("signed_in_at"),
        tables.session.c.ended_at,
    )
    .outerjoin(
        tables.session,
        tables.session.c.id.in_(bindparam("session_ids", expanding=True))
        & (tables.session.c.customer_id == tables.customer.c.id),
    )
    .where(tables.customer.c.id.in_(bindparam("customer_ids", expanding=True)))
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
    not_before: datetime
    expires_at: datetime

    def hold(self, now: datetime) -> bool:
        return max(self.issued_at, self.not_before) <= now + CLOCK_SKEW and now < self.expires_at


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token is issued for, and the moment it counts from."""

    customer_id: UUID
    reference: str
    session_id: UUID
    session_ends_at: datetime
    now: datetime


def expiry(terms: SessionTerms, grant: Grant) -> datetime:
    """When an access token of this grant expires: with its session at the latest."""
    return min(grant.now + terms.access_token, grant.session_ends_at)


def issue(services: Services, grant: Grant, algorithm: Algorithm = "ES256") -> str:
    """A token of the session, signed with the newest key, of this algorithm where there is one."""
    key = services.signing_keys.newest(algorithm)
    claims = {
        "aud": services.sessions.audience,
        "jti": grant.session_id.hex + token_hex(24),
        "iat": grant.now.timestamp(),
        "nbf": grant.now.timestamp(),
        "exp": expiry(services.sessions, grant).timestamp(),
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


def authenticate_all(services: Services, tokens: Sequence[str]) -> list[Caller | BadToken]:
    """The callers of requests with these tokens, in the same order, by one statement.

    Customer and session are read each time: a session that has ended is refused at once.
    """
    claims = [_claims_of(services, token) for token in tokens]
    named = [each for each in claims if each]
    rows = services.database.read(partial(_rows, claims=named)) if named else Rows({}, {})
    return [BadToken.INVALID if each is None else _caller(rows, each) for each in claims]


def _claims_of(services: Services, token: str) -> TokenClaims | None:
    if len(token) > MAX_LENGTH or not SHAPE.fullmatch(token):
        return None
    claims = services.signing_keys.verify(token, services.sessions.audience, _in_our_form)
    return claims if claims and claims.hold(services.clock()) else None


def _in_our_form(read: Mapping[str, Any]) -> TokenClaims | None:
    """The claims, or None.

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
        session_id = UUID(hex=read["jti"][:32])
        return TokenClaims(customer_id, subject["customer_reference"], session_id, issued_at, not_before, expires_at)
    # A moment that no calendar has is an OverflowError or an OSError, by the size of its number.
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, OSError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of CUSTOMERS_AND_SESSIONS, by customer id and by session id. The latter have both parts."""

    of_customers: Mapping[UUID, Row[Any]] = field(repr=False)
    of_sessions: Mapping[UUID, Row[Any]] = field(repr=False)


def _rows(connection: Connection, claims: Sequence[TokenClaims]) -> Rows:
    asked = {"session_ids": {each.session_id for each in claims}, "customer_ids": {each.customer_id for each in claims}}
    rows = connection.execute(CUSTOMERS_AND_SESSIONS, asked).all()
    return Rows({row.id: row for row in rows}, {row.session_id: row for row in rows})


def _caller(rows: Rows, claims: TokenClaims) -> Caller | BadToken:
    customer_row = rows.of_customers.get(claims.customer_id)
    if customer_row is None or customer_row.reference != claims.reference:
        return BadToken.INVALID
    if customer_row.anonymized_at or customer_row.blocked_at:  # erasure has deleted the session
        return BadToken.REVOKED
    row = rows.of_sessions.get(claims.session_id)
    if row is None or row.id != claims.customer_id:
        return BadToken.INVALID
    if row.ended_at or (row.password_changed_at and claims.issued_at <= row.password_changed_at):
        return BadToken.REVOKED
    return Caller(customer_of(row), claims.session_id, row.signed_in_at)

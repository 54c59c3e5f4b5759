"""Limits for an address, known or not, under keys that the secret derives from it, so that erasure finds them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from registration.keys.secret import Secret
from registration.limits.attempts import Limit, count_attempt
from registration.outcomes import TooManyAttempts


def address_mark(secret: Secret, email_key: str) -> str:
    """The prefix of an address's keys, whatever is counted: 32 hex characters."""
    return secret.derive("attempts of an address", email_key)[:32]


def count_for_address(
    connection: Connection, secret: Secret, email_key: str, *, purpose: str, limits: Sequence[Limit], now: datetime
) -> TooManyAttempts | None:
    """Count one attempt inside the caller's transaction; None when it is within every limit."""
    for limit in limits:
        counted = secret.derive(f"{purpose} attempts", str(limit.seconds), email_key)[:32]
        key = address_mark(secret, email_key) + counted
        blocked = count_attempt(connection, key, limit, now)
        if blocked is not None:
            return blocked
    return None

"""Limits for an address, known or not; what they store names no address, and yet erasure finds it."""

from collections.abc import Sequence

from sqlalchemy import Connection

from registration.keys.secret import Secret
from registration.limits.attempts import Limit, count_attempt
from registration.outcomes import TooManyAttempts
from registration.services import Services


def address_mark(secret: Secret, address: str) -> str:
    """What the keys of an address begin with, whatever is counted: 32 hex characters."""
    return secret.derive("attempts of an address", address)[:32]


def count_for_address(
    connection: Connection, services: Services, purpose: str, address: str, limits: Sequence[Limit]
) -> TooManyAttempts | None:
    """Count one attempt inside the caller's transaction; None when it is within every limit."""
    for limit in limits:
        counted = services.secret.derive(f"{purpose} attempts", str(limit.seconds), address)[:32]
        key = address_mark(services.secret, address) + counted
        seconds = count_attempt(connection, key, limit, services.clock())
        if seconds is not None:
            return TooManyAttempts(seconds)
    return None

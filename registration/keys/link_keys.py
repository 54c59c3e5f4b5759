"""Keys in the links of mails, derived from the secret and the id of a token, so that no table holds one."""

from hashlib import sha256
from uuid import UUID

from registration.keys.secret import Secret


def confirmation_key(secret: Secret, token_id: UUID) -> str:
    """32 lower-case hex characters, the form of the legacy wire contract; the same token always has the same key."""
    return secret.derive("confirmation", str(token_id))[:32]


def reset_key(secret: Secret, token_id: UUID) -> str:
    """The key of a password reset, of the same form."""
    return secret.derive("password reset", str(token_id))[:32]


def email_change_key(secret: Secret, token_id: UUID) -> str:
    """The key that proves a new address, of the same form."""
    return secret.derive("email change", str(token_id))[:32]


def alert_key(secret: Secret, token_id: UUID) -> str:
    """The key by which the reader of a mail about security says "this was not me", of the same form."""
    return secret.derive("account alert", str(token_id))[:32]


def export_key(secret: Secret, token_id: UUID) -> str:
    """The key of a link to a customer's own data, of the same form."""
    return secret.derive("data export", str(token_id))[:32]


def digest(key: str) -> str:
    """What the database keeps of a key: SHA-256 in hex. A key is 128 random bits, so nothing slower is needed."""
    # A client's key may hold lone surrogates; it then fits no row.
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()

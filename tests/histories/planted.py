"""Planted bugs: `python -m tests.histories.planted BUG serve` is a gateway that has one of them.

Each is what a careless change would make of the function that it replaces.
"""

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from types import ModuleType
from uuid import UUID

from sqlalchemy import Connection, insert, select

from graphql_api.cli.main import main
from graphql_api.engine import callers
from registration.keys.owners import owner_of
from registration.passwords import reset, stored
from registration.services import Services
from registration.sessions import access_tokens
from registration.sessions.access_tokens import BadToken, Caller
from registration.signing_up import new_account
from registration.storage.database import replace_row
from registration.storage.tables import email_claim, reset_token


def claims_are_overwritten() -> None:
    """A sign-up takes its address, also from another customer."""

    def claim(connection: Connection, email_key: str, customer_id: UUID, _now: datetime) -> bool:
        replace_row(connection, email_claim, {"address": email_key, "customer_id": customer_id})
        return True

    replace(new_account, "claim", claim)


def callers_are_remembered() -> None:
    """The customer and session of an access token are read once."""
    read, known = access_tokens.authenticate_all, dict[str, Caller]()

    def authenticate_all(services: Services, tokens: Sequence[str]) -> list[Caller | BadToken]:
        found = [known.get(token) or read(services, [token])[0] for token in tokens]
        known.update((token, each) for token, each in zip(tokens, found, strict=True) if isinstance(each, Caller))
        return found

    replace(callers, "authenticate_all", authenticate_all)


def reset_keys_stay() -> None:
    """The key of a password reset is not used up."""

    def store_password(
        connection: Connection, services: Services, customer_id: UUID, new_hash: str, now: datetime
    ) -> bool:
        is_kept = reset_token.c.customer_id == customer_id
        kept = dict(connection.execute(select(reset_token).where(is_kept)).mappings().one())
        is_stored = stored.store_password(connection, services, customer_id, new_hash, now)
        connection.execute(insert(reset_token), kept)
        return is_stored

    def use_up(connection: Connection, key_digest: str, _now: datetime) -> UUID | None:
        return owner_of(connection, reset_token, key_digest)

    replace(reset, "store_password", store_password)
    replace(reset, "_use_up", use_up)
    # Which would remember the key a second time.
    replace(reset, "remember_used", lambda *_: None)


def replace(module: ModuleType, name: str, function: Callable[..., object]) -> None:
    assert callable(getattr(module, name))
    setattr(module, name, function)


BUGS = {each.__name__: each for each in (claims_are_overwritten, callers_are_remembered, reset_keys_stay)}

if __name__ == "__main__":
    BUGS[sys.argv.pop(1)]()
    main()

"""Tokens of operators, for the operator schema: shown once, kept as a digest, each with scopes and an end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from secrets import token_urlsafe
from typing import Any

from sqlalchemy import Connection, Row, select, update

from registration.keys.link_keys import digest
from registration.storage.database import Database, insert_new, replace_row
from registration.storage.tables import operator_token
from registration.support.operator import Operator

PREFIX = "operator_"
"""What a token begins with, so that a scanner of leaked secrets knows it; 256 random bits follow."""


class Scope(StrEnum):
    """What a token is good for."""

    READ = "read"
    SUPPORT = "support"
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Bearer:
    """An operator who sent a good token."""

    operator: Operator
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class OperatorToken:
    """The token of an operator; `ended_at` is None unless it was revoked."""

    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None

    def is_good(self, now: datetime) -> bool:
        return self.ended_at is None and now < self.expires_at


def new_token(database: Database, name: str, scopes: Iterable[Scope], now: datetime, life: timedelta) -> str | None:
    """The token, which is stored nowhere; None where the operator of this name has a good one. Raises Unavailable."""
    token = PREFIX + token_urlsafe(32)
    row = {
        "name": name,
        "digest": digest(token),
        "scopes": ",".join(sorted(scopes)),
        "created_at": now,
        "expires_at": now + life,
        "ended_at": None,
    }

    def work(connection: Connection) -> bool:
        found = connection.execute(
            select(operator_token).where(operator_token.c.name == name).with_for_update()
        ).first()
        if found is None:
            return insert_new(connection, operator_token, row)
        if _token(found).is_good(now):
            return False
        replace_row(connection, operator_token, row)
        return True

    return token if database.write(work) else None


def end_token(database: Database, name: str, now: datetime) -> bool:
    """Revoke the token of an operator, from the next request on; False where the operator has no good one."""
    is_good = (
        (operator_token.c.name == name) & operator_token.c.ended_at.is_(None) & (operator_token.c.expires_at > now)
    )
    ended = update(operator_token).where(is_good).values(ended_at=now)
    return database.write(lambda connection: connection.execute(ended).rowcount == 1)


def all_tokens(database: Database) -> Sequence[OperatorToken]:
    """The last token of each operator, by name."""
    statement = select(operator_token).order_by(operator_token.c.name)
    return database.read(lambda connection: [_token(row) for row in connection.execute(statement)])


def bearer_of(database: Database, token: str, now: datetime) -> Bearer | None:
    """The operator of a token; None for one that is unknown, expired or revoked."""
    statement = select(operator_token).where(operator_token.c.digest == digest(token))
    row = database.read(lambda connection: connection.execute(statement).one_or_none())
    found = row and _token(row)
    return Bearer(Operator(found.name), found.scopes) if found and found.is_good(now) else None


def _token(row: Row[Any]) -> OperatorToken:
    scopes = frozenset(map(Scope, row.scopes.split(",")))
    return OperatorToken(row.name, scopes, row.created_at, row.expires_at, row.ended_at)

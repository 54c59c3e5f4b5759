"""Tokens of operators: shown once, good until they expire or are revoked."""

from datetime import timedelta

from registration.keys.link_keys import digest
from registration.storage.database import Database
from registration.storage.tables import operator_token
from registration.support.operator import Operator
from registration.support.tokens import Bearer, Scope, all_tokens, bearer_of, end_token, new_token
from tests.registration.people import NOW
from tests.registration.stored import rows

LIFE = timedelta(days=90)
LATER = NOW + timedelta(days=1)


def made(database: Database, *scopes: Scope) -> str:
    token = new_token(database, "olga", scopes or (Scope.READ,), NOW, LIFE)
    assert token is not None
    return token


def test_names_its_operator_and_scopes(database: Database) -> None:
    """A token says who sent it and what it is good for; the database holds no more of it than a digest."""
    token = made(database, Scope.READ, Scope.ERASE)
    expected = Bearer(Operator("olga"), frozenset({Scope.READ, Scope.ERASE}))
    assert bearer_of(database, token, NOW) == expected
    [row] = rows(database, operator_token)
    assert (row["digest"], token in repr(row)) == (digest(token), False)


def test_another_text_is_no_token(database: Database) -> None:
    """A text that is no token of ours has no operator, whatever it holds."""
    token = made(database)
    for text in ("", token[:-1], token + "x", "\ud800", "\0"):
        assert bearer_of(database, text, NOW) is None


def test_ends_by_itself(database: Database) -> None:
    """A token is good until its time is over; then its operator can have another."""
    token = made(database)
    assert bearer_of(database, token, NOW + LIFE - timedelta(seconds=1)) is not None
    assert bearer_of(database, token, NOW + LIFE) is None
    again = new_token(database, "olga", [Scope.READ], NOW + LIFE, LIFE)
    assert again
    assert bearer_of(database, again, NOW + LIFE) is not None


def test_is_revoked(database: Database) -> None:
    """A revoked token is not good any more; a name without a good token cannot be revoked."""
    token = made(database)
    assert end_token(database, "olga", LATER)
    assert bearer_of(database, token, LATER) is None
    assert not end_token(database, "olga", LATER)
    assert not end_token(database, "ole", LATER)
    [listed] = all_tokens(database)
    assert (listed.name, listed.ended_at, listed.is_good(LATER)) == ("olga", LATER, False)


def test_an_operator_has_one(database: Database) -> None:
    """While a token is good its operator gets no other; after its revocation the new one takes its place."""
    first = made(database)
    assert new_token(database, "olga", [Scope.ERASE], LATER, LIFE) is None
    end_token(database, "olga", LATER)
    second = new_token(database, "olga", [Scope.SUPPORT], LATER, LIFE)
    assert second
    assert bearer_of(database, first, LATER) is None
    assert [each.scopes for each in all_tokens(database)] == [{Scope.SUPPORT}]

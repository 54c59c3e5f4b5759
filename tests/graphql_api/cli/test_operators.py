"""The commands `operators …`."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from registration.storage.database import open_database
from registration.support.tokens import Scope, new_token
from tests.graphql_api.cli.commands import complaint, run

Environment = dict[str, str]


@pytest.fixture
def environment(sqlite_url: str) -> Environment:
    return {"GATEWAY_DATABASE_URL": sqlite_url, "COLUMNS": "200"}


def states(environment: Environment) -> dict[str, tuple[str, str]]:
    listed = json.loads(run("operators", "list", "--json", **environment).stdout)
    return {each["name"]: (each["scopes"], each["state"]) for each in listed}


def test_a_token_is_made_listed_and_revoked(environment: Environment) -> None:
    """`new` prints a token and nothing else, `list` shows no token, `revoke` ends it; each says what it cannot do."""
    token = run("operators", "new", "Olga B.", "--scope", "read", "--scope", "erase", **environment).stdout.strip()
    assert token.startswith("operator_")
    assert len(token) > 40
    assert states(environment) == {"Olga B.": ("read, erase", "good")}
    shown = run("operators", "list", **environment).stdout
    assert ("Olga B." in shown, token in shown) == (True, False)
    again = run("operators", "new", "Olga B.", "--scope", "read", **environment)
    assert complaint(again) == "Olga B. has a good token: revoke it first"
    assert run("operators", "revoke", "Olga B.", **environment).stdout == "Done.\n"
    assert complaint(run("operators", "revoke", "Olga B.", **environment)) == "Olga B. has no good token"
    assert states(environment) == {"Olga B.": ("read, erase", "revoked")}


def test_a_token_expires(environment: Environment) -> None:
    """A token whose days are over is listed as expired."""
    with closing(open_database(environment["GATEWAY_DATABASE_URL"])) as database:
        new_token(database, "ole", [Scope.READ], datetime(2020, 1, 1, tzinfo=UTC), timedelta(days=1))
    assert states(environment) == {"ole": ("read", "expired")}


def test_what_a_token_needs(environment: Environment) -> None:
    """A token has a name that can stand in an audit row, a scope that there is, and an end within a year."""
    assert complaint(run("operators", "new", "\n", "--scope", "read", **environment)).startswith("a name has letters")
    assert run("operators", "new", "o", **environment).exit_code == 2
    assert run("operators", "new", "o", "--scope", "all", **environment).exit_code == 2
    assert run("operators", "new", "o", "--scope", "read", "--days", "367", **environment).exit_code == 2
    assert states(environment) == {}

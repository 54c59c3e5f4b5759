"""The commands operators …: tokens for the operator schema."""

import re
from contextlib import closing
from datetime import timedelta
from typing import Annotated

import typer

from graphql_api.cli.installation import migrated_database, settings_of_process
from graphql_api.cli.terminal import AsJson, one_line_errors, show_json, show_table, stop
from registration.services import utc_now
from registration.support.operator import NAME_LENGTH
from registration.support.tokens import OperatorToken, Scope, all_tokens, end_token, new_token

commands = typer.Typer(
    no_args_is_help=True, help="Tokens for the operator schema, which GATEWAY_OPERATORS_PORT serves."
)

NAME = re.compile(rf"\w[\w.@ -]{{0,{NAME_LENGTH - 1}}}")
Name = Annotated[str, typer.Argument(help="of the operator; audit rows have it")]


@commands.command("new")
@one_line_errors
def new_operator(
    name: Name,
    scopes: Annotated[list[Scope], typer.Option("--scope", help="read: find, show; support: change, export; erase")],
    days: Annotated[int, typer.Option(min=1, max=366, help="how long it is good")] = 90,
) -> None:
    """Make a token and print it; it is not stored, and cannot be shown again."""
    if not NAME.fullmatch(name):
        stop(f"a name has letters, digits, spaces and . @ _ - and at most {NAME_LENGTH} characters")
    with closing(migrated_database(settings_of_process())) as database:
        token = new_token(database, name, set(scopes), utc_now(), timedelta(days=days))
    if token is None:
        stop(f"{name} has a good token: revoke it first")
    print(token)


@commands.command("list")
@one_line_errors
def list_operators(as_json: AsJson = False) -> None:
    """List the last token of each operator."""
    with closing(migrated_database(settings_of_process())) as database:
        found = all_tokens(database)
    rows = [
        {
            "name": each.name,
            "scopes": _scopes(each),
            "created_at": each.created_at,
            "expires_at": each.expires_at,
            "state": _state(each),
        }
        for each in found
    ]
    if as_json:
        show_json(rows)
        return
    columns = ("name", "scopes", "created (UTC)", "expires (UTC)", "state")
    show_table(
        columns,
        [
            (each.name, _scopes(each), f"{each.created_at:%Y-%m-%d}", f"{each.expires_at:%Y-%m-%d}", _state(each))
            for each in found
        ],
    )


@commands.command()
@one_line_errors
def revoke(name: Name) -> None:
    """End the token of an operator: it is refused from the next request on."""
    with closing(migrated_database(settings_of_process())) as database:
        ended = end_token(database, name, utc_now())
    if not ended:
        stop(f"{name} has no good token")
    print("Done.")


def _scopes(token: OperatorToken) -> str:
    return ", ".join(scope for scope in Scope if scope in token.scopes)


def _state(token: OperatorToken) -> str:
    if token.ended_at:
        return "revoked"
    return "good" if token.is_good(utc_now()) else "expired"

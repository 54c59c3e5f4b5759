"""The command `registration-gateway`: every command by name.

A command imports what it needs when it runs, so that `serve` need not wait for the imports of the others.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer

from graphql_api.cli import documents, keys, outbox
from graphql_api.cli.calibrate import calibrate
from graphql_api.cli.customers import audit, erase_proof
from graphql_api.cli.doctor import doctor
from graphql_api.cli.schema import schema
from graphql_api.cli.serve import distribute, migrate, relay, serve
from graphql_api.cli.settings import settings
from graphql_api.cli.support import customers, operators
from graphql_api.cli.transfers import copy, restore_check

main = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        print(f"registration-gateway {version('registration-gateway')}")
        raise typer.Exit


@main.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Customers sign up through GraphQL or JSON:API."""


COMMANDS: tuple[Callable[..., None], ...] = (serve, migrate, distribute, relay, copy, restore_check)
COMMANDS += (schema, settings, erase_proof, audit, calibrate, doctor)
for command in COMMANDS:
    main.command()(command)
main.add_typer(outbox.commands, name="outbox")
main.add_typer(keys.commands, name="keys")
main.add_typer(documents.commands, name="documents")
main.add_typer(customers.commands, name="customers")
main.add_typer(operators.commands, name="operators")

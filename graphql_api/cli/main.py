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
        from registration.hashing.argon2id import built_for  # noqa: PLC0415 - the commands need not wait for it

        print(f"registration-gateway {version('registration-gateway')}")
        print(argon2_build(built_for()))
        raise typer.Exit


def argon2_build(march: str | None) -> str:
    """Which build pip got; `march` is the processor that it is for, None for the portable wheel."""
    build = f"-march={march}" if march else "the portable build; docs/speed.md has one that is 3 times faster"
    return f"Argon2: {build}"


@main.callback()
def options(
    _: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and the build of Argon2, and exit.",
            callback=_show_version,
            is_eager=True,
        ),
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

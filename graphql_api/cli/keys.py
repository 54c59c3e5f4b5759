"""The command keys new, for the key files of an installation."""

from functools import partial
from pathlib import Path

import typer

from graphql_api.cli.installation import migrated_database, settings_of_process
from graphql_api.cli.terminal import one_line_errors
from registration.keys.agreement import adopt, keys_of_node
from registration.keys.secret import create_secret, load_secret
from registration.keys.signing_keys import SigningKeys, create_signing_key

commands = typer.Typer(no_args_is_help=True, help="The key files of an installation.")


@commands.command("adopt")
@one_line_errors
def adopt_keys() -> None:
    """State that the keys of this node are those of the installation: nodes with others are not ready from then on.

    After the secret was replaced, or every signing key at once. Links that are under way do not work any more.
    """
    settings = settings_of_process()
    directory = Path(settings.keys_dir).absolute()
    keys = keys_of_node(load_secret(directory), SigningKeys(directory))
    database = migrated_database(settings)
    database.write(partial(adopt, keys=keys))
    database.close()
    print(f"{directory}: its keys are those of the installation: {settings.database_place}")


@commands.command("new")
@one_line_errors
def create_keys() -> None:
    """Create a signing key, and the installation's secret if it has none.

    The new key signs from now on; tokens signed with older keys stay good. Copy the file to every node. An older key
    may be deleted after GATEWAY_ACCESS_TOKEN_SECONDS, when no token that it signed is left. The secret stays as it is.
    """
    directory = Path(settings_of_process().keys_dir).absolute()
    made = create_secret(directory)
    print(f"{directory}: secret {'created' if made else 'kept'}, signing key {create_signing_key(directory)} created.")

"""The commands about the key files of an installation."""

from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import typer

from graphql_api.cli.installation import create_keys as make_missing
from graphql_api.cli.installation import migrated_database, settings_of_process
from graphql_api.cli.terminal import one_line_errors, stop
from registration.keys.agreement import adopt, disagreement, keys_of_node
from registration.keys.secret import (
    PREVIOUS_NAME,
    create_ledger_key,
    create_secret,
    forget_previous,
    load_secret,
    rotate_secret,
)
from registration.keys.signing_keys import SigningKeys, create_signing_keys

commands = typer.Typer(no_args_is_help=True, help="The key files of an installation.")


@commands.command("adopt")
@one_line_errors
def adopt_keys() -> None:
    """State that the keys of this node are those of the installation: nodes with others are not ready from then on.

    After the secret was lost, or every signing key replaced at once. Mails that wait cannot be sent any more.
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
    """Create signing keys of GATEWAY_TOKEN_ALGORITHM; the installation's secret and the ledger's key if it has none.

    The new keys sign from now on; tokens signed with older ones stay good. Copy the files to every node. An older key
    may be deleted after GATEWAY_ACCESS_TOKEN_SECONDS, when no token that it signed is left. The secret stays as it is.
    """
    settings = settings_of_process()
    directory = Path(settings.keys_dir).absolute()
    secret = "created" if create_secret(directory) else "kept"
    create_ledger_key(directory)
    kids = " and ".join(create_signing_keys(directory, settings.token_algorithm))
    print(f"{directory}: secret {secret}, signing key {kids} created.")


@commands.command("init")
@one_line_errors
def create_missing_keys() -> None:
    """Create the secret, the ledger's key and signing keys where there are none: for an installation on PostgreSQL."""
    settings = settings_of_process()
    directory = Path(settings.keys_dir).absolute()
    make_missing(directory, settings.token_algorithm)
    print(f"{directory}: has a secret and a signing key.")


@commands.command("rotate-secret")
@one_line_errors
def start_rotation() -> None:
    """Make a new secret, and keep the former as secret.previous.key for what was made under that.

    Copy both files to every node, and start one after the other anew. After a day run `keys end-rotation`.
    """
    directory = Path(settings_of_process().keys_dir).absolute()
    rotate_secret(directory)
    print(f"{directory}: secret created, the former one kept as {PREVIOUS_NAME}. Copy both files to every node.")


@commands.command("end-rotation")
@one_line_errors
def end_rotation() -> None:
    """Delete secret.previous.key: nodes that have only the former secret are not ready from then on.

    Stops while mails wait that only the former secret can write, and where the keys are not those of the other nodes.
    Limits that were counted under it end within a day.
    """
    from registration.mail.composition import waiting_under  # noqa: PLC0415 - the other commands write no mails

    settings = settings_of_process()
    directory = Path(settings.keys_dir).absolute()
    secret = load_secret(directory)
    if secret.previous is None:
        stop(f"{directory} holds no {PREVIOUS_NAME}: no rotation is under way")
    keys = keys_of_node(secret, SigningKeys(directory))
    with closing(migrated_database(settings)) as database:
        difference = database.read(partial(disagreement, keys=keys))
        if difference:
            stop(difference)
        waiting = database.read(partial(waiting_under, secret=secret.previous))
        if waiting:
            stop(f"mails wait that only {PREVIOUS_NAME} can write: {waiting}; start a relay")
        database.write(partial(adopt, keys=replace(keys, secrets=keys.secrets[:1])))
    forget_previous(directory)
    print(f"{directory}: {PREVIOUS_NAME} deleted. Delete it on the other nodes, too.")

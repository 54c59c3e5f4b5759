"""The commands restore-check, for a database that was restored from a backup, and copy, to another engine."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import URL
from sqlalchemy.exc import ArgumentError

from graphql_api.cli.installation import migrated_database, settings_of_process
from graphql_api.cli.terminal import one_line_errors, progress, stop
from registration.settings import masked
from registration.storage.address import address_of
from registration.storage.database import open_database
from registration.storage.references import leave_out


@one_line_errors
def restore_check(
    ledgers: Annotated[
        list[Path] | None, typer.Argument(help="ledgers of all nodes; without any, that of GATEWAY_ERASURE_LEDGER")
    ] = None,
) -> None:
    """In a restored database, leave references out, and erase again the customers that were erased after its backup.

    Customers that the backup lacks may have been given those references, and other systems may know them.
    Ends with 1 when a line of a ledger could not be used, or a customer was spared who signed in after the entry.
    """
    from registration.account.reapplied_erasures import reapply  # noqa: PLC0415 - the other commands need not wait for it
    from registration.keys.secret import load_ledger_key  # noqa: PLC0415
    from registration.records.ledger import read_ledger  # noqa: PLC0415
    from registration.wiring import open_services  # noqa: PLC0415

    settings = settings_of_process()
    with closing(migrated_database(settings)) as database:
        start = database.write(leave_out)
    print(f"The next reference is {settings.reference_prefix}--{start}; lost customers may have those before it.")
    paths = ledgers or [Path(name) for name in [settings.erasure_ledger] if name]
    if not paths:
        stop("GATEWAY_ERASURE_LEDGER is not set: name it, or the ledgers as arguments")
    key = load_ledger_key(Path(settings.keys_dir))
    entries = read_ledger(paths, key)
    with closing(open_services(settings)) as services:
        done = reapply(services, key, entries)
    absent = len(entries.erased) - done.erased - len(done.spared)
    print(f"The ledger names {len(entries.erased)} customers, the database had {done.seen} that were not erased.")
    print(f"Erased again: {done.erased}. Not in the database, or erased there: {absent}.")
    if done.spared:
        who = ", ".join(done.spared)
        print(f"SPARED, who signed in after the entry: {who}. To erase: registration-gateway customers erase")
    if entries.of_other_keys:
        print(f"NOT USED: {entries.of_other_keys} entries of another ledger.key.")
    if entries.damaged:
        print(f"NOT USED: {entries.damaged} lines that are damaged.")
    if done.spared or entries.of_other_keys or entries.damaged:
        raise typer.Exit(1)


PATIENCE = 60.0
"""Seconds that a batch may wait for the server: no client waits for its answer."""


@one_line_errors
def copy(
    source: Annotated[str, typer.Argument(help="sqlite:///file")],
    target: Annotated[str, typer.Argument(help="postgresql://user@host/name; its password may be in PGPASSWORD")],
) -> None:
    """Copy an SQLite database into an empty, migrated one on PostgreSQL, and compare both. Stop the gateway before.

    When it is interrupted, the same command goes on where it stopped.
    """
    from registration.storage.migrations.copying import CannotCopy, copy  # noqa: PLC0415 - Alembic takes a while

    file = _address(source, "sqlite").database
    _address(target, "postgresql")
    if not file or not Path(file).is_file():
        stop(f"{source}: there is no such file")
    with closing(open_database(source, wait=PATIENCE)) as here, closing(open_database(target, wait=PATIENCE)) as there:
        try:
            with progress() as show:
                contents = copy(here, there, show)
        except CannotCopy as error:
            stop(str(error))
    rows = sum(each.rows for each in contents)
    print(f"{rows} rows of {len(contents)} tables are in {masked(target)}; counts and checksums agree.")


COPIES = "copies from sqlite:///… to postgresql://…"


def _address(text: str, engine: str) -> URL:
    try:
        url = address_of(text)
    except (ArgumentError, ValueError):  # their texts can quote the password, which may be anywhere in such an address
        stop(f"{COPIES}: the address of {engine} cannot be read")
    if url.get_backend_name() != engine:
        stop(f"{COPIES}: {masked(text)} is no address of {engine}")
    return url

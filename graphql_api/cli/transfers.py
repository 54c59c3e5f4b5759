"""The command restore-check, for a database that was restored from a backup."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from graphql_api.cli.installation import migrated_database, settings_of_process
from graphql_api.cli.terminal import one_line_errors, stop


@one_line_errors
def restore_check(
    ledgers: Annotated[
        list[Path] | None, typer.Argument(help="ledgers of all nodes; without any, that of GATEWAY_ERASURE_LEDGER")
    ] = None,
) -> None:
    """Erase again, in a restored database, the customers that were erased after its backup.

    Ends with 1 when a line of a ledger could not be used, or a customer was spared who signed in after the entry.
    """
    from registration.account.restoring import reapply  # noqa: PLC0415 - the other commands need not wait for it
    from registration.keys.secret import load_ledger_key  # noqa: PLC0415
    from registration.records.ledger import read_ledger  # noqa: PLC0415
    from registration.wiring import open_services  # noqa: PLC0415

    settings = settings_of_process()
    paths = ledgers or [Path(name) for name in [settings.erasure_ledger] if name]
    if not paths:
        stop("GATEWAY_ERASURE_LEDGER is not set: name it, or the ledgers as arguments")
    key = load_ledger_key(Path(settings.keys_dir))
    entries = read_ledger(paths, key)
    migrated_database(settings).close()
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

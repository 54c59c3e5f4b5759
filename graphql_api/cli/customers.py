"""The commands about one customer: audit and erase-proof."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from graphql_api.cli.installation import migrated_database, settings_of_process
from graphql_api.cli.terminal import AsJson, one_line_errors, show_json, show_table, stop
from registration.records import audit as records


@one_line_errors
def audit(
    reference: Annotated[str, typer.Argument(help="of the customer, for example DE--25")], as_json: AsJson = False
) -> None:
    """Show what was done with a customer's account, when and from which IP, oldest first; erasure deletes the IPs."""
    database = migrated_database(settings_of_process())
    entries = database.read(lambda connection: records.trail(connection, reference))
    database.close()
    if entries is None:
        stop("there is no customer of that reference")
    if as_json:
        show_json([asdict(entry) for entry in entries])
        return
    columns = ("when (UTC)", "what", "from", "request", "operator")
    show_table(
        columns,
        [
            (
                f"{each.created_at:%Y-%m-%d %H:%M:%S.%f}",
                each.kind,
                each.client_ip or "",
                each.correlation_id or "",
                each.operator or "",
            )
            for each in entries
        ],
    )


@one_line_errors
def erase_proof(
    reference: Annotated[str, typer.Argument(help="the erased customer, for example DE--25")],
) -> None:
    """Show that nothing of an erased customer is left, in any table or (SQLite) in any byte of the file.

    What to look for is read from standard input, where no list of processes shows it: one thing a line, the e-mail
    address first, then the names, the date of birth. Ends with 1 when something was found.
    """
    from registration.account import erasure_proof as proof  # noqa: PLC0415 - the other commands need not wait for it
    from registration.keys.secret import load_secret  # noqa: PLC0415

    settings = settings_of_process()
    if sys.stdin.isatty():
        print("The e-mail address, the names, the date of birth, one a line; then Ctrl-D.", file=sys.stderr)
    person = proof.person_of(sys.stdin.read().splitlines())
    if not person.addresses:
        stop("give the e-mail address of the customer on standard input")
    secret = load_secret(Path(settings.keys_dir))
    database = migrated_database(settings)
    looked = proof.prove(database, secret, reference, person)
    database.close()
    if isinstance(looked, proof.CannotProve):
        stop(looked.reason)
    for place in looked:
        found = ", ".join(f"{column} ({number})" for column, number in place.found.items())
        print(f"{place.place}: {place.extent}, {f'FOUND in {found}' if found else 'nothing found'}")
    traces = sum(1 for place in looked if place.found)
    if traces:
        print(f"NOT ERASED: traces of {reference} in {traces} of {len(looked)} places.")
        raise typer.Exit(1)
    print(f"ERASED: no trace of {reference} in {len(looked)} places.")

"""The command schema: prints a contract, or compares it with the committed files or with a release."""

from pathlib import Path
from typing import Annotated

import typer

from graphql_api.cli.terminal import one_line_errors, stop


@one_line_errors
def schema(
    check: Annotated[
        bool, typer.Option("--check", help="fail when ./schema.graphql or ./operator.graphql differs from the code")
    ] = False,
    operators: Annotated[bool, typer.Option("--operators", help="print the operator schema instead")] = False,
    since: Annotated[
        str, typer.Option(help="list breaking and dangerous changes since a release: 0.2.0, or `last-release`")
    ] = "",
) -> None:
    """Print the published contract, or compare it."""
    from graphql_api.cli import contract  # noqa: PLC0415 - the other commands need not wait for graphql-core
    from graphql_api.operators.schema import print_schema as print_operator_schema  # noqa: PLC0415
    from graphql_api.schema import print_schema  # noqa: PLC0415

    here = Path.cwd()
    if check and (differing := contract.drifted(here)):
        stop(f"{' and '.join(differing)} differ from the code; run: make schema")
    if since:
        _compare(here, since)
    if not check and not since:
        print(print_operator_schema() if operators else print_schema(), end="")


def _compare(directory: Path, since: str) -> None:
    from graphql_api.cli import contract  # noqa: PLC0415
    from graphql_api.schema import print_schema  # noqa: PLC0415

    release = contract.last_release(directory) if since == "last-release" else since
    if release is None:
        print("There is no release yet: nothing to compare with.")
        return
    old = contract.contract_of(directory, release)
    if old is None:
        stop(f"there is no {contract.RELEASES}/{release}.graphql")
    found = contract.changes(old, print_schema())
    print("\n".join(found) or f"No breaking or dangerous change since {release}.")
    if contract.unaccepted(found, directory):
        stop(f"changes that {contract.ACCEPTED_CHANGES} does not list")

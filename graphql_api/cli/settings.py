"""The command settings: what an operator can choose, and what this installation has chosen."""

from rich.table import Column, Table

from graphql_api.cli.installation import settings_of_process
from graphql_api.cli.terminal import one_line_errors, show
from registration.environment import describe


@one_line_errors
def settings() -> None:
    """Show every setting, its value (secrets masked) and its default."""
    table = Table(
        Column("variable", no_wrap=True), *(Column(name, overflow="fold") for name in ("value", "default", "meaning"))
    )
    for row in describe(settings_of_process()):
        table.add_row(*row)
    show(table)

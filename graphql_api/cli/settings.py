"""The command settings: what an operator can choose, and what this installation has chosen."""

from rich.table import Column, Table

from graphql_api.cli.installation import settings_of_process
from graphql_api.cli.terminal import AsJson, one_line_errors, show, show_json
from registration.environment import describe


@one_line_errors
def settings(as_json: AsJson = False) -> None:
    """Show every setting, its value (secrets masked) and its default."""
    names, rows = ("variable", "value", "default", "meaning"), describe(settings_of_process())
    if as_json:
        show_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    first, *others = names
    table = Table(Column(first, no_wrap=True), *(Column(name, overflow="fold") for name in others))
    for row in rows:
        table.add_row(*row)
    show(table)

"""The command settings: what an operator can choose, and what this installation has chosen."""

from graphql_api.cli.installation import settings_of_process
from graphql_api.cli.terminal import AsJson, one_line_errors, show_json, show_table
from registration.environment import describe


@one_line_errors
def settings(as_json: AsJson = False) -> None:
    """Show every setting, its value (secrets masked) and its default."""
    names, rows = ("variable", "value", "default", "meaning"), describe(settings_of_process())
    if as_json:
        show_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        show_table(names, rows)

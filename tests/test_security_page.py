"""docs/security.md says how long each personal column is kept, as the tables are marked."""

import re
from collections.abc import Iterator
from pathlib import Path

from registration.environment import describe
from registration.settings import Settings
from registration.storage.personal import OnErasure, owned_rows, personal_columns
from registration.storage.tables import metadata

PAGE = Path(__file__).parents[1] / "docs" / "security.md"
GOES = {OnErasure.DELETE: "the row is deleted", OnErasure.EMPTY: "the column is emptied"}


def rows_of_the_marks() -> Iterator[str]:
    for table in metadata.sorted_tables:
        for column in personal_columns(table):
            owned = owned_rows(table)
            assert owned, f"the rows of {table.name} belong to no customer, so no erasure ends {column.name}"
            yield f"| `{table.name}.{column.name}` | {owned.kept} | {GOES[owned.on_erasure]} |"


def test_every_personal_column_has_its_end() -> None:
    """The table lists exactly the columns that are marked as personal, with what their tables are marked with."""
    table = PAGE.read_text("utf-8").partition("<!-- personal -->\n")[2].partition("<!-- /personal -->")[0]
    assert table.splitlines() == ["| column | kept | at the erasure |", "|---|---|---|", *sorted(rows_of_the_marks())]


def test_the_marks_name_settings_that_exist() -> None:
    """A setting that a mark names is one."""
    marks = " ".join(owned.kept for table in metadata.sorted_tables if (owned := owned_rows(table)))
    named = set(re.findall(r"GATEWAY_\w+", marks))
    assert named
    assert named <= {row[0] for row in describe(Settings())}

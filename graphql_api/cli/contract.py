"""The published contract: whether schema.graphql is what the code publishes, and what changed since a release."""

import subprocess
from pathlib import Path

from graphql import build_schema
from graphql.utilities import BreakingChange, DangerousChange, find_breaking_changes, find_dangerous_changes

from graphql_api.schema import print_schema

FILE = "schema.graphql"
# Intended changes, one a line, exactly as `registration-gateway schema --since` prints them.
ACCEPTED_CHANGES = "schema.accepted-changes"


def has_drifted(directory: Path) -> bool:
    """Whether the committed file differs from what the code publishes."""
    path = directory / FILE
    return not path.exists() or path.read_text("utf-8") != print_schema()


def changes(old: str, new: str) -> list[str]:
    """Breaking and dangerous changes between two contracts, one line each."""
    before, after = build_schema(old), build_schema(new)
    found: list[BreakingChange | DangerousChange] = [*find_breaking_changes(before, after)]
    found += find_dangerous_changes(before, after)
    return [f"{change.type.name}: {change.description}" for change in found]


def unaccepted(found: list[str], directory: Path) -> list[str]:
    """The changes that the file of accepted changes does not list."""
    path = directory / ACCEPTED_CHANGES
    accepted = path.read_text("utf-8").splitlines() if path.exists() else []
    return [change for change in found if change not in accepted]


def last_tag(directory: Path) -> str | None:
    """The newest release tag that this commit descends from; None when there is none."""
    return _git(directory, "describe", "--tags", "--abbrev=0")


def contract_at(directory: Path, revision: str) -> str | None:
    """schema.graphql as it was at a revision; None when that has no such file."""
    return _git(directory, "show", f"{revision}:{FILE}")


def _git(directory: Path, *arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=directory, capture_output=True, text=True, check=False)  # noqa: S603, S607
    return done.stdout.strip() if done.returncode == 0 else None

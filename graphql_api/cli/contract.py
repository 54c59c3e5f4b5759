"""The published contract: whether the committed files are what the code says, and what changed since a release."""

from pathlib import Path

from graphql import build_schema
from graphql.utilities import BreakingChange, DangerousChange, find_breaking_changes, find_dangerous_changes

from graphql_api.operators.schema import print_schema as print_operator_schema
from graphql_api.schema import print_schema

FILE = "schema.graphql"
OPERATOR_FILE = "operator.graphql"
# The contracts of all releases, each named after its version: a clone may lack the tags.
RELEASES = "releases"
# Intended changes, one a line, exactly as `registration-gateway schema --since` prints them.
ACCEPTED_CHANGES = "schema.accepted-changes"


def drifted(directory: Path) -> list[str]:
    """The committed files that differ from what the code says."""
    texts = {FILE: print_schema(), OPERATOR_FILE: print_operator_schema()}
    return [name for name, text in texts.items() if _text(directory / name) != text]


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


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


def last_release(directory: Path) -> str | None:
    """The highest version with a file in releases/; None when there is none."""
    versions = [path.stem for path in (directory / RELEASES).glob("*.graphql")]
    return max(versions, key=_numbers, default=None)


def contract_of(directory: Path, release: str) -> str | None:
    """The contract of a release; None when there is no such release."""
    path = directory / RELEASES / f"{release}.graphql"
    return path.read_text("utf-8") if path.exists() else None


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]

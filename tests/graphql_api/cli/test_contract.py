"""What the contract command compares, in real git repositories."""

import subprocess
from pathlib import Path

import pytest

from graphql_api.cli import contract
from graphql_api.schema import print_schema

OLD = 'type Query { name(language: String = "en"): String size: Size } enum Size { SMALL }'
BREAKING = "type Query { size: Size } enum Size { SMALL }"
DANGEROUS = 'type Query { name(language: String = "de"): String size: Size } enum Size { SMALL LARGE }'
HARMLESS = 'type Query { name(language: String = "en"): String size: Size more: Int } enum Size { SMALL }'


def git(directory: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True)


def commit(directory: Path, text: str) -> None:
    (directory / contract.FILE).write_text(text)
    git(directory, "add", contract.FILE)
    git(directory, "commit", "--message", "change")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    return tmp_path


class TestChanges:
    def test_that_break_clients_are_found(self) -> None:
        """Each breaking change is one line."""
        assert contract.changes(OLD, BREAKING) == ["FIELD_REMOVED: Field Query.name was removed."]

    def test_that_may_surprise_clients_are_found(self) -> None:
        """A changed default and an added enum value are dangerous changes."""
        assert sorted(contract.changes(OLD, DANGEROUS)) == [
            'ARG_DEFAULT_VALUE_CHANGE: Query.name(language:) has changed defaultValue from "en" to "de".',
            "VALUE_ADDED_TO_ENUM: Enum value Size.LARGE was added.",
        ]

    def test_that_only_add_are_none(self) -> None:
        """An added field is neither breaking nor dangerous."""
        assert contract.changes(OLD, HARMLESS) == []

    def test_that_were_meant_are_listed_in_a_file(self, tmp_path: Path) -> None:
        """A change that the file of accepted changes lists word by word is accepted; without the file none is."""
        found = contract.changes(OLD, DANGEROUS)
        assert contract.unaccepted(found, tmp_path) == found
        (tmp_path / contract.ACCEPTED_CHANGES).write_text(f"{found[0]}\n")
        assert contract.unaccepted(found, tmp_path) == found[1:]


class TestTheLastRelease:
    def test_is_the_newest_tag_before_this_commit(self, repository: Path) -> None:
        """The last release is the newest tag before this commit, and its contract is read from git."""
        commit(repository, OLD)
        git(repository, "tag", "v1")
        commit(repository, BREAKING)
        git(repository, "tag", "v2")
        commit(repository, HARMLESS)
        assert contract.last_tag(repository) == "v2"
        assert contract.contract_at(repository, "v1") == OLD
        assert contract.contract_at(repository, "v2") == BREAKING

    def test_need_not_exist(self, repository: Path) -> None:
        """A missing tag, a missing revision and a revision without the file are None."""
        git(repository, "commit", "--allow-empty", "--message", "begin")
        assert contract.last_tag(repository) is None
        assert contract.contract_at(repository, "HEAD") is None
        assert contract.contract_at(repository, "v9") is None


def test_drift_is_any_difference_from_the_code(tmp_path: Path) -> None:
    """A missing or different file has drifted; the text that the code publishes has not."""
    assert contract.has_drifted(tmp_path)
    path = tmp_path / contract.FILE
    path.write_text(print_schema(), "utf-8")
    assert not contract.has_drifted(tmp_path)
    path.write_text(print_schema() + "\n", "utf-8")
    assert contract.has_drifted(tmp_path)

"""The command `schema`."""

from pathlib import Path

from graphql_api.cli import contract
from graphql_api.schema import print_schema
from tests.graphql_api.cli.commands import complaint, run
from tests.graphql_api.cli.test_contract import commit, git


class TestSchema:
    def test_is_printed(self) -> None:
        """`schema` prints what the code publishes, even when a setting is wrong."""
        result = run("schema", GATEWAY_PORT="wrong")
        assert (result.exit_code, result.stdout) == (0, print_schema())

    def test_is_compared_with_the_committed_one(self, empty_directory: Path) -> None:
        """`--check` fails when schema.graphql differs from the code, and prints nothing when it does not."""
        assert complaint(run("schema", "--check")).startswith("schema.graphql differs from the code; run: ")
        (empty_directory / contract.FILE).write_text(print_schema(), "utf-8")
        result = run("schema", "--check")
        assert (result.exit_code, result.output) == (0, "")

    def test_is_compared_with_a_release(self, empty_directory: Path) -> None:
        """`--since` lists changes since a revision, and fails for a breaking one that is not listed as accepted."""
        git(empty_directory, "init", "--quiet")
        git(empty_directory, "commit", "--allow-empty", "--message", "begin")
        none_yet = run("schema", "--since", "last-tag")
        assert (none_yet.exit_code, none_yet.stdout) == (0, "There is no release tag yet: nothing to compare with.\n")
        assert complaint(run("schema", "--since", "HEAD")) == "HEAD has no schema.graphql"

        commit(empty_directory, print_schema())
        git(empty_directory, "tag", "v1")
        same = run("schema", "--since", "last-tag")
        assert (same.exit_code, same.stdout) == (0, "No breaking or dangerous change since v1.\n")

        commit(empty_directory, print_schema().replace("type Query {", 'type Query {\n  "Gone."\n  old: Int\n'))
        removed = run("schema", "--since", "HEAD")
        assert removed.stdout == "FIELD_REMOVED: Field Query.old was removed.\n"
        assert complaint(removed) == "changes that schema.accepted-changes does not list"
        (empty_directory / contract.ACCEPTED_CHANGES).write_text(removed.stdout)
        accepted = run("schema", "--since", "HEAD")
        assert (accepted.exit_code, accepted.stdout) == (0, removed.stdout)

    def test_needs_git_to_be_compared(self) -> None:
        """Without git, `--since` ends with one line that says so."""
        assert complaint(run("schema", "--since", "v1", PATH="/nowhere")) == "git: No such file or directory"

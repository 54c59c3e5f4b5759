"""The command `schema`."""

from pathlib import Path

from graphql_api.cli import contract
from graphql_api.operators.schema import print_schema as print_operator_schema
from graphql_api.schema import print_schema
from tests.graphql_api.cli.commands import complaint, run
from tests.graphql_api.cli.test_contract import release, write_contracts


class TestSchema:
    def test_is_printed(self) -> None:
        """`schema` prints what the code publishes, even when a setting is wrong; `--operators` the other schema."""
        result = run("schema", GATEWAY_PORT="wrong")
        assert (result.exit_code, result.stdout) == (0, print_schema())
        assert run("schema", "--operators").stdout == print_operator_schema()

    def test_is_compared_with_the_committed_one(self, empty_directory: Path) -> None:
        """`--check` fails when a committed file differs from the code, and prints nothing when none does."""
        differs = "schema.graphql and operator.graphql differ from the code; run: make schema"
        assert complaint(run("schema", "--check")) == differs
        write_contracts(empty_directory)
        result = run("schema", "--check")
        assert (result.exit_code, result.output) == (0, "")

    def test_is_compared_with_a_release(self, empty_directory: Path) -> None:
        """`--since` lists changes since a release, and fails for a breaking one that is not listed as accepted."""
        none_yet = run("schema", "--since", "last-release")
        assert (none_yet.exit_code, none_yet.stdout) == (0, "There is no release yet: nothing to compare with.\n")
        assert complaint(run("schema", "--since", "0.9.0")) == "there is no releases/0.9.0.graphql"

        release(empty_directory, "0.2.0", print_schema())
        same = run("schema", "--since", "last-release")
        assert (same.exit_code, same.stdout) == (0, "No breaking or dangerous change since 0.2.0.\n")

        release(
            empty_directory, "0.1.0", print_schema().replace("type Query {", 'type Query {\n  "Gone."\n  old: Int\n')
        )
        removed = run("schema", "--since", "0.1.0")
        assert removed.stdout == "FIELD_REMOVED: Field Query.old was removed.\n"
        assert complaint(removed) == "changes that schema.accepted-changes does not list"
        (empty_directory / contract.ACCEPTED_CHANGES).write_text(removed.stdout)
        accepted = run("schema", "--since", "0.1.0")
        assert (accepted.exit_code, accepted.stdout) == (0, removed.stdout)

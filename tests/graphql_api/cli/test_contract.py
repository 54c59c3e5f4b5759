"""What the command `schema` compares."""

from pathlib import Path

from graphql_api.cli import contract
from graphql_api.operators.schema import print_schema as print_operator_schema
from graphql_api.schema import print_schema

OLD = 'type Query { name(language: String = "en"): String size: Size } enum Size { SMALL }'
BREAKING = "type Query { size: Size } enum Size { SMALL }"
DANGEROUS = 'type Query { name(language: String = "de"): String size: Size } enum Size { SMALL LARGE }'
HARMLESS = 'type Query { name(language: String = "en"): String size: Size more: Int } enum Size { SMALL }'


def release(directory: Path, version: str, text: str) -> None:
    (directory / contract.RELEASES).mkdir(exist_ok=True)
    (directory / contract.RELEASES / f"{version}.graphql").write_text(text)


def write_contracts(directory: Path) -> None:
    (directory / contract.FILE).write_text(print_schema(), "utf-8")
    (directory / contract.OPERATOR_FILE).write_text(print_operator_schema(), "utf-8")


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
    def test_has_the_highest_version(self, tmp_path: Path) -> None:
        """Versions are compared as numbers: 0.10.0 is later than 0.9.1."""
        for version, text in (("0.9.1", OLD), ("0.10.0", BREAKING), ("0.2.0", HARMLESS)):
            release(tmp_path, version, text)
        assert contract.last_release(tmp_path) == "0.10.0"
        assert contract.contract_of(tmp_path, "0.10.0") == BREAKING
        assert contract.contract_of(tmp_path, "0.9.1") == OLD

    def test_need_not_exist(self, tmp_path: Path) -> None:
        """A directory without releases, and a release that there is not, are None."""
        assert contract.last_release(tmp_path) is None
        assert contract.contract_of(tmp_path, "0.9.0") is None


def test_drift_is_any_difference_from_the_code(tmp_path: Path) -> None:
    """A missing or different file has drifted; the text that the code publishes has not."""
    assert contract.drifted(tmp_path) == ["schema.graphql", "operator.graphql"]
    write_contracts(tmp_path)
    assert contract.drifted(tmp_path) == []
    (tmp_path / contract.FILE).write_text(print_schema() + "\n", "utf-8")
    assert contract.drifted(tmp_path) == ["schema.graphql"]

"""The commands `keys new`, `keys adopt`, `keys rotate-secret` and `keys end-rotation`."""

from pathlib import Path

import pytest

from registration.keys.agreement import NodeKeys, disagreement, keys_of_node, state
from registration.keys.secret import FILE_NAME, PREVIOUS_NAME, Secret, load_secret
from registration.keys.signing_keys import SigningKeys
from registration.storage.database import Database
from tests.graphql_api.cli.commands import complaint, run
from tests.in_process import signing_keys
from tests.registration.people import signed_up


def newest_of_both(directory: Path) -> str:
    keys = SigningKeys(directory)
    return f"{keys.newest('RS256').kid} and {keys.newest('ES256').kid}"


def test_creates_the_secret_once_and_a_signing_key_each_time(empty_directory: Path) -> None:
    """A second `keys new` keeps the secret and creates newer signing keys; the files are open to their owner only."""
    made = run("keys", "new", GATEWAY_KEYS_DIR="keys")
    directory = empty_directory / "keys"
    first = newest_of_both(directory)
    assert made.output == f"{directory}: secret created, signing key {first} created.\n"
    secret = (directory / FILE_NAME).read_bytes()
    assert len(secret) == 32

    again = run("keys", "new", GATEWAY_KEYS_DIR="keys")
    second = newest_of_both(directory)
    assert again.output == f"{directory}: secret kept, signing key {second} created.\n"
    assert first != second
    assert (directory / FILE_NAME).read_bytes() == secret
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}


def test_says_that_the_directory_cannot_be_made() -> None:
    """A directory that cannot be made ends the command with one line that names its path."""
    assert complaint(run("keys", "new", GATEWAY_KEYS_DIR="/dev/null/keys")).startswith("/dev/null/keys: ")


def test_keys_are_adopted(database: Database, database_url: str) -> None:
    """A node whose secret was replaced agrees again after `keys adopt`, and those with the old one differ."""
    secrets = [Secret(bytes([number]) * 32) for number in (1, 2)]
    before, after = (keys_of_node(secret, signing_keys()) for secret in secrets)
    database.write(lambda connection: state(connection, before))
    run("keys", "new", GATEWAY_KEYS_DIR="keys")
    Path("keys", FILE_NAME).write_bytes(bytes([2]) * 32)
    done = run("keys", "adopt", GATEWAY_KEYS_DIR="keys", GATEWAY_DATABASE_URL=database_url)
    assert "its keys are those of the installation" in done.output

    def differs(keys: NodeKeys) -> bool:
        found = database.read(lambda connection: disagreement(connection, keys))
        return bool(found and found.startswith("secret.key"))

    assert [differs(before), differs(after)] == [True, False]


class TestRotation:
    def rotate(self, database_url: str) -> dict[str, str]:
        """The settings of an installation whose secret is being rotated."""
        settings = {"GATEWAY_KEYS_DIR": "keys", "GATEWAY_DATABASE_URL": database_url}
        run("keys", "new", **settings)
        assert "the former one kept as secret.previous.key" in run("keys", "rotate-secret", **settings).output
        return settings

    def test_a_rotation_begins_and_ends(self, empty_directory: Path, database: Database, database_url: str) -> None:
        """After the end only the new secret is there, and a node with the former one differs."""
        settings = self.rotate(database_url)
        secret = load_secret(empty_directory / "keys")
        assert secret.previous
        before = keys_of_node(secret.previous, SigningKeys(empty_directory / "keys"))
        database.write(lambda connection: state(connection, before))
        assert f"{PREVIOUS_NAME} deleted" in run("keys", "end-rotation", **settings).output
        assert load_secret(empty_directory / "keys").versions()[1:] == ()
        assert database.read(lambda connection: disagreement(connection, before))
        assert complaint(run("keys", "end-rotation", **settings)).endswith("no rotation is under way")

    def test_a_rotation_of_one_node_alone_does_not_end(
        self, empty_directory: Path, database: Database, database_url: str
    ) -> None:
        """Where another node has made a secret of its own, and stated it, the command stops and knocks no node out."""
        settings = self.rotate(database_url)
        secret = load_secret(empty_directory / "keys")
        other = keys_of_node(Secret(b"o" * 32, secret.previous), SigningKeys(empty_directory / "keys"))
        database.write(lambda connection: state(connection, other))
        reason = complaint(run("keys", "end-rotation", **settings))
        assert reason.startswith("secret.key is not that of the other nodes; ")
        assert load_secret(empty_directory / "keys").previous
        assert database.read(lambda connection: disagreement(connection, other)) is None

    @pytest.mark.usefixtures("empty_directory")
    def test_a_rotation_does_not_end_before_its_mails(self, database: Database, database_url: str) -> None:
        """While a mail waits that only the former secret can write, the command stops and deletes nothing."""
        settings = self.rotate(database_url)
        secret = load_secret(Path("keys"))
        assert secret.previous
        signed_up(database, secret=secret.previous)
        reason = complaint(run("keys", "end-rotation", **settings))
        assert reason == f"mails wait that only {PREVIOUS_NAME} can write: 1; start a relay"
        assert load_secret(Path("keys")).previous


def test_init_makes_what_is_missing_and_no_more() -> None:
    """`keys init` makes a secret, a key of the ledger and a signing key, each where there is none."""
    contents = []
    for _ in range(2):
        assert run("keys", "init", GATEWAY_KEYS_DIR="fresh", GATEWAY_TOKEN_ALGORITHM="ES256").exit_code == 0
        contents.append({path.name: path.read_bytes() for path in Path("fresh").iterdir()})
    assert contents[0] == contents[1]
    assert len(contents[0]) == 3

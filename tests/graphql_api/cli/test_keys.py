"""The commands `keys new` and `keys adopt`."""

from pathlib import Path

from registration.keys.agreement import NodeKeys, disagreement, keys_of_node, state
from registration.keys.secret import FILE_NAME, Secret
from registration.keys.signing_keys import SigningKeys
from registration.storage.database import Database
from tests.graphql_api.cli.commands import complaint, run
from tests.in_process import signing_keys


def test_creates_the_secret_once_and_a_signing_key_each_time(empty_directory: Path) -> None:
    """A second `keys new` keeps the secret and creates a newer signing key; the files are open to their owner only."""
    made = run("keys", "new", GATEWAY_KEYS_DIR="keys")
    directory = empty_directory / "keys"
    first = SigningKeys(directory).newest().kid
    assert made.output == f"{directory}: secret created, signing key {first} created.\n"
    secret = (directory / FILE_NAME).read_bytes()
    assert len(secret) == 32

    again = run("keys", "new", GATEWAY_KEYS_DIR="keys")
    second = SigningKeys(directory).newest().kid
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

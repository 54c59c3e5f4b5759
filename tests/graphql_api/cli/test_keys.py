"""The command `keys new`."""

from pathlib import Path

from registration.keys.secret import FILE_NAME
from registration.keys.signing_keys import SigningKeys
from tests.graphql_api.cli.commands import complaint, run


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

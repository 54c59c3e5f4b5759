"""The first start of an installation makes what an embedded one needs, and explains what another one lacks."""

import stat
from pathlib import Path

import pytest

from graphql_api.cli.installation import prepare
from graphql_api.settings import GatewaySettings
from registration.keys.key_files import KeyFileError
from registration.keys.secret import create_secret, rotate_secret
from registration.keys.signing_keys import create_signing_key
from tests.graphql_api.cli.commands import complaint, invoke


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path) -> GatewaySettings:
    return GatewaySettings(
        keys_dir=str(tmp_path / "keys"), database_url=sqlite_url, relay="off", hash_memory_kib=8, hash_time_cost=1
    )


def files(directory: Path) -> list[str]:
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in directory.iterdir())
    return sorted(path.name.partition("-")[0] for path in directory.iterdir())


class TestFirstStart:
    def test_of_an_embedded_installation_makes_keys(self, settings: GatewaySettings) -> None:
        """The first start of an embedded installation creates its keys; the next start creates none."""
        for _ in range(2):
            prepare(settings)
            assert files(Path(settings.keys_dir)) == ["ledger.key", "secret.key", "signing", "signing"]

    def test_of_others_explains_what_is_missing(self, settings: GatewaySettings) -> None:
        """An installation with a database server does not create keys: the start fails and names `keys new`."""
        apart = settings.model_copy(update={"database_url": "postgresql://127.0.0.1:1/none"})
        with pytest.raises(KeyFileError, match=r"secret.key: No such file or directory; .* keys new$"):
            prepare(apart)
        prepare(settings)
        for signing in Path(settings.keys_dir).glob("signing-*.pem"):
            signing.unlink()
        with pytest.raises(KeyFileError, match=r"holds no signing key; .* keys new$"):
            prepare(apart)


@pytest.mark.parametrize(
    "command",
    [
        "audit DE--1",
        "customers show DE--1",
        "distribute",
        "erase-proof DE--1",
        "keys adopt",
        "keys end-rotation",
        "operators list",
        "outbox list",
        "outbox retry",
        "relay",
        "restore-check",
    ],
)
def test_a_command_makes_no_database(command: str, empty_directory: Path) -> None:
    """Where an embedded database has no file, only `migrate` and `serve` make one; all else ends with one line.

    So `serve` still says that its database is new after such a command had the wrong address.
    """
    create_secret(Path("keys"))
    create_signing_key(Path("keys"), "ES256")
    rotate_secret(Path("keys"))
    settings = {
        "GATEWAY_DATABASE_URL": "sqlite:///typo/registration.db",
        "GATEWAY_KEYS_DIR": "keys",
        "GATEWAY_MODE": "development",
        "GATEWAY_MAIL_URL": "console:",
    }
    reason = complaint(invoke(command.split(), settings, "ada@example.org"))
    assert reason == (
        f"{empty_directory}/typo/registration.db: there is no such file; "
        "mend GATEWAY_DATABASE_URL, or run: registration-gateway migrate"
    )
    assert [path.name for path in empty_directory.iterdir()] == ["keys"]

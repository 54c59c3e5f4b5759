"""The commands `keys new` and `audit`, and what the first start of an embedded installation makes."""

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from graphql_api.cli.main import main, prepare
from graphql_api.settings import GatewaySettings
from registration.keys.key_files import KeyFileError
from registration.keys.signing_keys import SigningKeys
from registration.wiring import open_services
from tests.registration.forms import PASSWORD
from tests.registration.members import confirmed, signed_in


@pytest.fixture
def environment(sqlite_url: str, tmp_path: Path) -> dict[str, str]:
    return {
        "GATEWAY_KEYS_DIR": str(tmp_path / "keys"),
        "GATEWAY_DATABASE_URL": sqlite_url,
        "GATEWAY_RELAY": "off",
        "COLUMNS": "200",
    }


@pytest.fixture
def settings(environment: dict[str, str]) -> GatewaySettings:
    return GatewaySettings(
        keys_dir=environment["GATEWAY_KEYS_DIR"],
        database_url=environment["GATEWAY_DATABASE_URL"],
        relay="off",
        hash_memory_kib=8,
        hash_time_cost=1,
    )


def run(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environment)


def files(directory: Path) -> list[str]:
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in directory.iterdir())
    return sorted(path.name.partition("-")[0] for path in directory.iterdir())


class TestKeysNew:
    def test_makes_the_secret_once_and_a_signing_key_each_time(
        self, environment: dict[str, str], tmp_path: Path
    ) -> None:
        """And says what it made."""
        directory = tmp_path / "keys"
        first = run(environment, "keys", "new")
        (kid,) = (key.kid for key in SigningKeys(directory).all())
        assert first.output == f"{directory}: secret created, signing key {kid} created.\n"
        second = run(environment, "keys", "new")
        newest = SigningKeys(directory).newest().kid
        assert second.output == f"{directory}: secret kept, signing key {newest} created.\n"
        assert newest != kid
        assert files(directory) == ["secret.key", "signing", "signing"]

    def test_explains_a_directory_that_cannot_be(self, environment: dict[str, str], tmp_path: Path) -> None:
        """One line."""
        (tmp_path / "file").touch()
        done = run(environment | {"GATEWAY_KEYS_DIR": str(tmp_path / "file" / "keys")}, "keys", "new")
        assert done.exit_code == 2
        assert done.output.startswith(f"registration-gateway: {tmp_path / 'file' / 'keys'}: ")
        assert done.output.count("\n") == 1


class TestFirstStart:
    def test_of_an_embedded_installation_makes_keys(self, settings: GatewaySettings) -> None:
        """Once: the next start changes nothing."""
        for _ in range(2):
            prepare(settings)
            assert files(Path(settings.keys_dir)) == ["secret.key", "signing"]

    def test_of_others_explains_what_is_missing(self, settings: GatewaySettings) -> None:
        """There the keys must be the same on every node, so nobody makes them by accident."""
        apart = settings.model_copy(update={"database_url": "postgresql://127.0.0.1:1/none"})
        with pytest.raises(KeyFileError, match=r"secret.key: No such file or directory; .* keys new$"):
            prepare(apart)
        prepare(settings)
        (signing,) = Path(settings.keys_dir).glob("signing-*.pem")
        signing.unlink()
        with pytest.raises(KeyFileError, match=r"holds no signing key; .* keys new$"):
            prepare(apart)


class TestAudit:
    def test_shows_the_trail(self, environment: dict[str, str], settings: GatewaySettings) -> None:
        """A line for each record."""
        prepare(settings)
        services = open_services(settings)
        ada = confirmed(services)
        signed_in(services)
        services.close()
        done = run(environment, "audit", ada.reference)
        assert done.exit_code == 0
        lines = [line.split("│")[1:4] for line in done.output.splitlines() if "│" in line]
        assert [(what.strip(), where.strip()) for _, what, where in lines] == [
            ("sign-up", "192.0.2.1"),
            ("confirm", ""),
            ("sign-in", "192.0.2.1"),
        ]
        assert PASSWORD not in done.output

    def test_of_nobody(self, environment: dict[str, str]) -> None:
        """One line."""
        done = run(environment, "audit", "DE--99")
        assert (done.exit_code, done.output) == (2, "registration-gateway: there is no customer of that reference\n")

"""The commands `serve`, `migrate` and `relay` where they stop by themselves; test_processes.py runs a server."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from harness.gateway import Gateway
from harness.postgres import create_database, drop_database
from registration.keys.secret import FILE_NAME, create_secret
from registration.keys.signing_keys import create_signing_key
from registration.storage.database import open_database
from registration.storage.revision import is_usable, newest
from tests.graphql_api.cli.commands import complaint, run

ADDRESSES = {"GATEWAY_PUBLIC_URL": "https://shop.example", "GATEWAY_MAIL_FROM": "Shop <mail@shop.example>"}


def create_keys(directory: str) -> None:
    create_secret(Path(directory))
    create_signing_key(Path(directory))


@pytest.fixture
def empty_postgresql(postgres_url: str) -> Iterator[str]:
    """The URL of a database on a server that nothing has migrated."""
    name = f"forgotten_{uuid4().hex}"
    yield create_database(postgres_url, name)
    drop_database(postgres_url, name)


def test_a_server_holds_no_library_of_the_terminal() -> None:
    """What a server imports does not include rich, which draws the tables of other commands (5 MiB)."""
    code = "import graphql_api.__main__, graphql_api.app, graphql_api.server.server, sys; print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_server_loads_no_language_before_it_is_spoken() -> None:
    """What a server imports loads no data of Babel, which has a MiB for each language."""
    code = "import graphql_api.app, babel.localedata; print(list(babel.localedata._cache))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


class TestMigrate:
    def test_makes_the_database_current(self) -> None:
        """`migrate` creates the schema of this version; a second call changes nothing."""
        for _ in range(2):
            result = run("migrate", GATEWAY_DATABASE_URL="sqlite:///made/registration.db")
            place = f"{Path.cwd()}/made/registration.db"
            assert (result.exit_code, result.stdout) == (0, f"The database is up to date: {place}\n")
        database = open_database("sqlite:///made/registration.db")
        assert database.read(lambda connection: is_usable(connection, newest()))
        database.close()

    @pytest.mark.parametrize(
        "url", ["postgresql://gateway:correct-horse@127.0.0.1:1/gateway", "sqlite:////dev/null/registration.db"]
    )
    def test_says_that_the_database_cannot_be_reached(self, url: str) -> None:
        """An unreachable database ends `migrate` with one line, without the password of the URL."""
        reason = complaint(run("migrate", GATEWAY_DATABASE_URL=url))
        assert reason.startswith("GATEWAY_DATABASE_URL")
        assert "correct-horse" not in reason

    @pytest.mark.parametrize("command", ["migrate", "serve"])
    def test_says_that_the_database_is_of_a_newer_version(self, command: str) -> None:
        """A database of a newer version ends `migrate` and `serve` with one line."""
        url = "sqlite:///made/registration.db"
        run("migrate", GATEWAY_DATABASE_URL=url)
        database = open_database(url)
        database.write(lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'new'"))
        database.close()
        reason = complaint(run(command, GATEWAY_DATABASE_URL=url, GATEWAY_RELAY="off", **ADDRESSES))
        assert reason == "GATEWAY_DATABASE_URL: the database is at revision new, which this version does not know"


class TestServe:
    """`serve` finds mistakes before it listens."""

    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            ({}, "GATEWAY_MAIL_URL is not set: name a mail server, or set GATEWAY_RELAY=off"),
            ({"GATEWAY_PUBLIC_URL": ""}, "GATEWAY_PUBLIC_URL is not set: name the address that clients use"),
            (
                {"GATEWAY_PUBLIC_URL": "", "GATEWAY_STOREFRONT_URL": "https://shop.example"},
                "GATEWAY_PUBLIC_URL is not set",
            ),
            ({"GATEWAY_PUBLIC_URL": "", "GATEWAY_RELAY": "off"}, "GATEWAY_PUBLIC_URL is not set"),
            ({"GATEWAY_MAIL_FROM": ""}, "GATEWAY_MAIL_FROM is not set: name the sender of mails"),
            ({"GATEWAY_MAIL_URL": "smtp://"}, "GATEWAY_MAIL_URL must be like"),
            ({"GATEWAY_MAIL_URL": "console:", "GATEWAY_MAIL_FROM": "nobody"}, "GATEWAY_MAIL_FROM must be"),
            ({"GATEWAY_RELAY": "off", "GATEWAY_PASSWORD_DENY_LIST": "none.txt"}, "GATEWAY_PASSWORD_DENY_LIST"),
            ({"GATEWAY_RELAY": "off", "GATEWAY_HOST": "192.0.2.1"}, "GATEWAY_HOST 192.0.2.1 with GATEWAY_PORT 8000: "),
            ({"GATEWAY_RELAY": "off", "GATEWAY_HOST": "::2"}, "GATEWAY_HOST ::2 with GATEWAY_PORT 8000: "),
            (
                {"GATEWAY_RELAY": "off", "GATEWAY_HOST": "no.invalid"},
                "GATEWAY_HOST no.invalid with GATEWAY_PORT 8000: ",
            ),
            ({"GATEWAY_MODE": "development", "GATEWAY_HOST": "0.0.0.0"}, "GATEWAY_HOST is not loopback"),  # noqa: S104
        ],
    )
    def test_stops_with_one_line(self, settings: dict[str, str], reason: str) -> None:
        """Each mistake in the settings ends `serve` with one line that names the setting."""
        assert complaint(run("serve", **(ADDRESSES | settings))).startswith(reason)

    def test_needs_a_secret_with_a_database_server(self, database_url: str, empty_directory: Path) -> None:
        """With a database server `serve` demands a secret; an embedded installation creates its own."""
        settings = {"GATEWAY_DATABASE_URL": database_url, "GATEWAY_RELAY": "on"} | ADDRESSES
        reason = complaint(run("serve", **settings))
        if database_url.startswith("postgresql"):
            assert reason.endswith("create it with: registration-gateway keys new")
        else:
            assert (empty_directory / "var" / "keys" / FILE_NAME).exists()

    def test_stops_where_migrate_was_forgotten(self, empty_postgresql: str) -> None:
        """With a database server `serve` does not migrate, and names the command that does."""
        create_keys("var/keys")
        reason = complaint(run("serve", GATEWAY_DATABASE_URL=empty_postgresql, GATEWAY_RELAY="off", **ADDRESSES))
        assert reason == (
            "GATEWAY_DATABASE_URL: the database is not at this version; run: registration-gateway migrate"
        )

    def test_stops_where_the_address_of_the_database_is_wrong(self, postgresql_url: str) -> None:
        """What only an operator can mend stops `serve` before it listens."""
        create_keys("var/keys")
        url = f"{postgresql_url}?pgbouncer=true"
        reason = complaint(run("serve", GATEWAY_DATABASE_URL=url, GATEWAY_RELAY="off", **ADDRESSES))
        assert reason.startswith('GATEWAY_DATABASE_URL: invalid connection option "pgbouncer"; leave it out')

    def test_waits_for_a_database_that_is_not_there(self) -> None:
        """A database server that starts later is no mistake of the settings: `serve` warns, and goes on to listen."""
        create_keys("var/keys")
        # It can listen nowhere, so that it ends.
        settings = {"GATEWAY_DATABASE_URL": "postgresql://gateway@127.0.0.1:1/gateway", "GATEWAY_HOST": "192.0.2.1"}
        result = run("serve", GATEWAY_RELAY="off", **settings, **ADDRESSES)
        starting, warning, end = result.stderr.splitlines()
        assert json.loads(starting)["event"] == "starting"
        assert json.loads(warning)["event"] == "not ready"
        assert json.loads(warning)["reason"].startswith("connection to server at ")
        assert json.loads(warning)["reason"].endswith("Connection refused; start the server, or check host and port")
        assert end.startswith("registration-gateway: GATEWAY_HOST 192.0.2.1 ")

    def test_refuses_a_secret_that_others_can_read(self, empty_directory: Path) -> None:
        """A secret that other users can read ends `serve` with the command that mends it."""
        create_secret(empty_directory / "keys")
        (empty_directory / "keys" / FILE_NAME).chmod(0o644)
        reason = complaint(run("serve", GATEWAY_KEYS_DIR="keys", GATEWAY_RELAY="off", **ADDRESSES))
        assert reason == "keys/secret.key is open to other users; run: chmod 600 keys/secret.key"


class TestRelay:
    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            ({}, "GATEWAY_MAIL_URL is not set"),
            ({"GATEWAY_PUBLIC_URL": "", "GATEWAY_STOREFRONT_URL": "https://shop.example"}, "GATEWAY_MAIL_URL is not"),
            ({"GATEWAY_PUBLIC_URL": ""}, "GATEWAY_PUBLIC_URL is not set"),
            ({"GATEWAY_MAIL_FROM": ""}, "GATEWAY_MAIL_FROM is not set"),
        ],
    )
    def test_needs_what_a_mail_needs(self, settings: dict[str, str], reason: str) -> None:
        """`relay` without a mail server, a sender or a base of links ends with one line."""
        create_keys("var/keys")
        Path("var/registration.db").touch()
        assert complaint(run("relay", **(ADDRESSES | settings))).startswith(reason)

    def test_stops_where_migrate_was_forgotten(self) -> None:
        """`relay` needs the schema that `serve` needs."""
        create_keys("var/keys")
        Path("var/registration.db").touch()
        reason = complaint(run("relay", GATEWAY_MAIL_URL="console:", **ADDRESSES))
        assert reason.endswith("the database is not at this version; run: registration-gateway migrate")


@pytest.mark.parametrize("kind", ["METRICS", "OPERATORS"])
def test_a_further_port_that_is_taken_stops_the_start(
    kind: str, shared_gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port on which something listens stops `serve` with one line that names the settings."""
    monkeypatch.chdir(tmp_path)
    settings = {f"GATEWAY_{kind}_PORT": str(shared_gateway.port), "GATEWAY_MODE": "development"}
    reason = complaint(run("serve", GATEWAY_RELAY="off", **settings))
    assert reason == (
        f"GATEWAY_{kind}_HOST 127.0.0.1 with GATEWAY_{kind}_PORT {shared_gateway.port}: cannot listen there:"
        " Address already in use"
    )

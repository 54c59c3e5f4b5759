"""The command `registration-gateway`, except for what serves: that is seen in real processes, in test_processes.py."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner, Result

from graphql_api.cli import contract
from graphql_api.cli.main import main
from graphql_api.schema import print_schema
from graphql_api.settings import GatewaySettings
from registration.keys.secret import FILE_NAME, create_secret
from registration.keys.signing_keys import create_signing_key
from registration.mail.outbox import claim, due_buckets, enqueue, settle
from registration.storage.database import Database, open_database
from registration.storage.revision import is_current, newest
from tests.graphql_api.cli.test_contract import commit, git

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 23, 13, 10, tzinfo=UTC)
EVERY_COMMAND = (
    ["serve"],
    ["relay"],
    ["migrate"],
    ["settings"],
    ["outbox", "list"],
    ["outbox", "retry"],
    ["keys", "new"],
)


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an operator stands: relative paths of the defaults end up here."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def run(*arguments: str, **settings: str) -> Result:
    return CliRunner().invoke(main, arguments, env=settings)


def complaint(result: Result) -> str:
    """What a failed command says: one line, with the name of the program and the status of a usage error."""
    assert result.exit_code == 2, result.output
    (line,) = [line for line in result.stderr.splitlines() if "warning:" not in line]
    name, _, reason = line.partition(": ")
    assert name == "registration-gateway"
    assert "Traceback" not in result.output
    return reason


class TestHelp:
    def test_names_every_command(self) -> None:
        """With a line each, also when nothing is asked for."""
        for arguments, status in ((["--help"], 0), ([], 2)):
            result = run(*arguments)
            assert result.exit_code == status
            for command in ("serve", "relay", "migrate", "schema", "settings", "outbox", "keys"):
                assert f" {command} " in result.output

    def test_is_there_for_python_m_too(self) -> None:
        """For whoever has the package but not the command on the path."""
        command = [sys.executable, "-m", "graphql_api", "--help"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert "serve" in done.stdout


class TestAWrongSetting:
    @pytest.mark.parametrize("command", EVERY_COMMAND, ids=" ".join)
    def test_stops_every_command_with_one_line(self, command: list[str]) -> None:
        """That names it."""
        assert complaint(run(*command, GATEWAY_RELAY="sometimes")).startswith("GATEWAY_RELAY ")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("GATEWAY_PORT", "http"),
            ("GATEWAY_PORT", "65536"),
            ("GATEWAY_MODE", "debug"),
            ("GATEWAY_DATABASE_URL", "mysql://localhost/x"),
            ("GATEWAY_MAIL_URL", "ftp://localhost"),
            ("GATEWAY_PUBLIC_URL", "shop.example"),
            ("GATEWAY_TRUSTED_PROXIES", "everybody"),
            ("GATEWAY_REFERENCE_PREFIX", "a b"),
            ("GATEWAY_HASH_TIME_COST", "0"),
            ("GATEWAY_PASSWORD_MIN_LENGTH", "129"),
            ("GATEWAY_MAILBOX", "on"),
        ],
    )
    def test_is_named(self, name: str, value: str) -> None:
        """Whatever is wrong with it."""
        assert name in complaint(run("settings", **{name: value}))

    def test_never_shows_a_password(self) -> None:
        """Not even one that was put into a wrong value."""
        for name in ("GATEWAY_DATABASE_URL", "GATEWAY_MAIL_URL"):
            for value in (
                "smtpx://user:correct-horse@host",
                "postgres//user:correct-horse@host:port",
                "x://[:correct-horse",
            ):
                assert "correct-horse" not in complaint(run("settings", **{name: value}))

    def test_that_nobody_knows_is_warned_about(self) -> None:
        """Orchestrators inject such names, so the command goes on."""
        result = run("settings", GATEWAY_COLOUR="red", GATEWAY_PORT_8000_TCP="tcp://10.0.0.1:8000")
        assert result.exit_code == 0
        assert result.stderr.splitlines() == [
            "registration-gateway: warning: GATEWAY_COLOUR is not a setting of ours",
            "registration-gateway: warning: GATEWAY_PORT_8000_TCP is not a setting of ours",
        ]


class TestSettings:
    def test_are_all_shown_with_value_default_and_meaning(self) -> None:
        """And nothing is opened or created."""
        result = run("settings", GATEWAY_PORT="9000")
        assert (result.exit_code, result.stderr) == (0, "")
        for name, field in GatewaySettings.model_fields.items():
            assert f"GATEWAY_{name.upper()} " in result.stdout
            assert str(field.description) in result.stdout
        (line,) = [line for line in result.stdout.splitlines() if "GATEWAY_PORT " in line]
        assert line.replace("│", " ").split() == ["GATEWAY_PORT", "9000", "8000", "port", "to", "listen", "on"]
        assert list(Path.cwd().iterdir()) == []

    def test_show_no_password(self) -> None:
        """Of the database or the mail server."""
        result = run(
            "settings",
            GATEWAY_DATABASE_URL="postgresql://gateway:correct-horse@database/gateway",
            GATEWAY_MAIL_URL="smtps://mailer:correct-battery@mail.example:465",
        )
        assert "correct" not in result.output
        assert "postgresql://gateway:***@database/gateway" in result.stdout
        assert "smtps://mailer:***@mail.example:465" in result.stdout


class TestMigrate:
    def test_makes_the_database_current(self) -> None:
        """Again and again, if asked to."""
        for _ in range(2):
            result = run("migrate", GATEWAY_DATABASE_URL="sqlite:///made/registration.db")
            assert (result.exit_code, result.stdout) == (0, "The database is up to date.\n")
        database = open_database("sqlite:///made/registration.db")
        assert database.read(lambda connection: is_current(connection, newest()))
        database.close()

    @pytest.mark.parametrize(
        "url", ["postgresql://gateway:correct-horse@127.0.0.1:1/gateway", "sqlite:////dev/null/registration.db"]
    )
    def test_says_that_the_database_cannot_be_had(self, url: str) -> None:
        """Without its password."""
        reason = complaint(run("migrate", GATEWAY_DATABASE_URL=url))
        assert reason.startswith("GATEWAY_DATABASE_URL")
        assert "correct-horse" not in reason

    @pytest.mark.parametrize("command", ["migrate", "serve"])
    def test_says_that_the_database_is_of_a_newer_version(self, command: str) -> None:
        """As after a step back to an older program."""
        url = "sqlite:///made/registration.db"
        run("migrate", GATEWAY_DATABASE_URL=url)
        database = open_database(url)
        database.write(lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'new'"))
        database.close()
        reason = complaint(run(command, GATEWAY_DATABASE_URL=url, GATEWAY_RELAY="off"))
        assert reason == "GATEWAY_DATABASE_URL: the database is at revision new, which this version does not know"


class TestKeysNew:
    def test_creates_the_secret_once_and_a_signing_key_each_time(self, empty_directory: Path) -> None:
        """For its owner's eyes only; a second call leaves the secret as it is."""
        made = run("keys", "new", GATEWAY_KEYS_DIR="keys").stdout
        assert re.fullmatch(r"keys: secret created, signing key 1-[0-9a-f]{16} created\.\n", made)
        path = empty_directory / "keys" / FILE_NAME
        secret = path.read_bytes()
        assert (len(secret), path.stat().st_mode & 0o777) == (32, 0o600)
        again = run("keys", "new", GATEWAY_KEYS_DIR="keys").stdout
        assert re.fullmatch(r"keys: secret kept, signing key 2-[0-9a-f]{16} created\.\n", again)
        assert path.read_bytes() == secret

    def test_says_that_the_directory_cannot_be_made(self) -> None:
        """With its path."""
        assert complaint(run("keys", "new", GATEWAY_KEYS_DIR="/dev/null/keys")).startswith("/dev/null/keys: ")


class TestOutbox:
    @pytest.fixture(autouse=True)
    def two_parked_and_one_waiting(self, database: Database) -> None:
        def post_one(connection: Connection, kind: str, now: datetime) -> None:
            enqueue(connection, kind=kind, customer_id=uuid4(), token_id=None, now=now)

        def work(connection: Connection) -> None:
            post_one(connection, "confirmation", NOW)
            post_one(connection, "confirmation", NOW)
            for bucket in due_buckets(connection, NOW):
                for job in claim(connection, bucket, NOW, limit=10):
                    settle(connection, job, "parked", NOW, "550 no such mailbox")
            post_one(connection, "welcome", NOW + timedelta(days=1))

        database.write(work)

    def test_lists_mails_that_were_given_up(self, database_url: str) -> None:
        """One line each, with the reason of the mail server and no address."""
        result = run("outbox", "list", GATEWAY_DATABASE_URL=database_url)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.count("550 no such mailbox") == 2
        assert len([line for line in result.stdout.splitlines() if "2026-11-23 13:10:00" in line]) == 2
        assert "welcome" not in result.stdout

    def test_lists_mails_of_another_status(self, database_url: str) -> None:
        """As many as asked for."""
        waiting = run("outbox", "list", "--status", "waiting", GATEWAY_DATABASE_URL=database_url)
        assert "welcome" in waiting.stdout
        assert "no such mailbox" not in waiting.stdout
        one = run("outbox", "list", "--limit", "1", GATEWAY_DATABASE_URL=database_url)
        assert one.stdout.count("550 no such mailbox") == 1

    def test_queues_all_that_were_given_up(self, database_url: str) -> None:
        """Once: then there is nothing parked any more."""
        assert run("outbox", "retry", GATEWAY_DATABASE_URL=database_url).stdout == "2 queued again.\n"
        assert run("outbox", "retry", GATEWAY_DATABASE_URL=database_url).stdout == "0 queued again.\n"
        assert "no such mailbox" not in run("outbox", "list", GATEWAY_DATABASE_URL=database_url).stdout

    def test_queues_those_that_are_named(self, database_url: str) -> None:
        """By the id that the list shows; one that is not parked is left alone."""
        listed = run("outbox", "list", "--limit", "1", GATEWAY_DATABASE_URL=database_url).stdout
        mail_id = next(word for word in listed.split() if word.count("-") == 4)
        result = run("outbox", "retry", mail_id, str(uuid4()), GATEWAY_DATABASE_URL=database_url)
        assert result.stdout == "1 queued again.\n"

    @pytest.mark.parametrize(
        "arguments", [["list", "--status", "lost"], ["list", "--limit", "0"], ["retry", "not-an-id"], ["lose"]]
    )
    def test_explains_its_use(self, arguments: list[str], database_url: str) -> None:
        """Before it touches anything."""
        result = run("outbox", *arguments, GATEWAY_DATABASE_URL=database_url)
        assert result.exit_code == 2
        assert "Usage:" in result.stderr


@pytest.mark.parametrize("command", ["list", "retry"])
class TestOutboxWithoutItsDatabase:
    def test_says_how_to_get_one_of_this_version(self, command: str) -> None:
        """A database that is empty or behind."""
        reason = complaint(run("outbox", command, GATEWAY_DATABASE_URL="sqlite:///new.db"))
        assert reason == "the database is not at this version; run: registration-gateway migrate"

    def test_says_that_it_cannot_be_had(self, command: str) -> None:
        """In one line."""
        url = "postgresql://gateway:correct-horse@127.0.0.1:1/gateway"
        assert complaint(run("outbox", command, GATEWAY_DATABASE_URL=url)).startswith("GATEWAY_DATABASE_URL: ")


class TestSchema:
    def test_is_printed(self) -> None:
        """Exactly as committed; no setting is needed, and a wrong one does not matter."""
        result = run("schema", GATEWAY_PORT="wrong")
        assert (result.exit_code, result.stdout) == (0, print_schema())

    def test_is_compared_with_the_committed_one(self, empty_directory: Path) -> None:
        """Silence is agreement."""
        assert complaint(run("schema", "--check")).startswith("schema.graphql differs from the code; run: ")
        (empty_directory / contract.FILE).write_text(print_schema(), "utf-8")
        result = run("schema", "--check")
        assert (result.exit_code, result.output) == (0, "")

    def test_is_compared_with_a_release(self, empty_directory: Path) -> None:
        """What breaks clients fails until somebody lists it as meant."""
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
        (empty_directory / contract.ACCEPTED).write_text(removed.stdout)
        accepted = run("schema", "--since", "HEAD")
        assert (accepted.exit_code, accepted.stdout) == (0, removed.stdout)

    def test_needs_git_to_be_compared(self) -> None:
        """One line says what is missing."""
        assert complaint(run("schema", "--since", "v1", PATH="/nowhere")) == "git: No such file or directory"


class TestServe:
    """What can be wrong is found before anything listens."""

    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            ({}, "GATEWAY_MAIL_URL is not set: name a mail server, or set GATEWAY_RELAY=off"),
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
        """That names the setting."""
        assert complaint(run("serve", **settings)).startswith(reason)

    def test_needs_a_secret_beside_a_database_of_its_own(self, database_url: str, empty_directory: Path) -> None:
        """Only an embedded installation makes its own: two nodes with two secrets would not know each other's keys."""
        settings = {"GATEWAY_DATABASE_URL": database_url, "GATEWAY_RELAY": "on"}
        reason = complaint(run("serve", **settings))
        if database_url.startswith("postgresql"):
            assert reason.endswith("create it with: registration-gateway keys new")
        else:
            assert (empty_directory / "var" / "keys" / FILE_NAME).exists()

    def test_refuses_a_secret_that_others_can_read(self, empty_directory: Path) -> None:
        """And says what to do."""
        create_secret(empty_directory / "keys")
        (empty_directory / "keys" / FILE_NAME).chmod(0o644)
        reason = complaint(run("serve", GATEWAY_KEYS_DIR="keys", GATEWAY_RELAY="off"))
        assert reason == "keys/secret.key is open to other users; run: chmod 600 keys/secret.key"


def test_relay_needs_a_mail_server(empty_directory: Path) -> None:
    """One line says so."""
    create_secret(empty_directory / "var" / "keys")
    create_signing_key(empty_directory / "var" / "keys")
    assert complaint(run("relay")).startswith("GATEWAY_MAIL_URL is not set")

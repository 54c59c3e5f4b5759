"""The command `registration-gateway` as a whole: its help, and what a wrong setting does to every command."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from graphql_api.cli.main import argon2_build
from registration.hashing.argon2id import built_for
from tests.graphql_api.cli.commands import complaint, run

ROOT = Path(__file__).parents[3]
EVERY_COMMAND = (
    ["serve"],
    ["relay"],
    ["migrate"],
    ["settings"],
    ["outbox", "list"],
    ["outbox", "retry"],
    ["keys", "new"],
    ["audit", "DE--25"],
    ["erase-proof", "DE--25"],
    ["calibrate"],
    ["restore-check"],
)


class TestHelp:
    def test_names_every_command(self) -> None:
        """The help lists every command, also when the program is called without arguments."""
        for arguments, status in ((["--help"], 0), ([], 2)):
            result = run(*arguments)
            assert result.exit_code == status
            for command in ("schema", *(command[0] for command in EVERY_COMMAND)):
                assert f" {command} " in result.output

    def test_is_there_for_python_m_too(self) -> None:
        """`python -m graphql_api` shows the same help."""
        command = [sys.executable, "-m", "graphql_api", "--help"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert "serve" in done.stdout


def test_says_its_version() -> None:
    """`--version` prints the version of the package and the build of Argon2, without any setting."""
    result = run("--version", GATEWAY_RELAY="sometimes")
    lines = [f"registration-gateway {version('registration-gateway')}", argon2_build(built_for())]
    assert (result.exit_code, result.stdout.splitlines()) == (0, lines)


def test_says_which_build_of_argon2_it_has() -> None:
    """A build for a processor is named by that; the portable one is said to be slower."""
    assert argon2_build("x86-64-v3") == "Argon2: -march=x86-64-v3"
    assert argon2_build(None) == "Argon2: the portable build; docs/speed.md has one that is 3 times faster"


class TestAWrongSetting:
    @pytest.mark.parametrize("command", EVERY_COMMAND, ids=" ".join)
    def test_stops_every_command_with_one_line(self, command: list[str]) -> None:
        """A wrong setting ends every command with one line that names it."""
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
        """Each wrong value ends the command with a line that names its variable."""
        assert name in complaint(run("settings", **{name: value}))

    def test_never_shows_a_password(self) -> None:
        """A password inside a wrong URL does not appear in the output."""
        for name in ("GATEWAY_DATABASE_URL", "GATEWAY_MAIL_URL"):
            for value in (
                "smtpx://user:correct-horse@host",
                "postgres//user:correct-horse@host:port",
                "x://[:correct-horse",
            ):
                assert "correct-horse" not in complaint(run("settings", **{name: value}))

    def test_that_is_unknown_is_warned_about(self) -> None:
        """Unknown GATEWAY_ variables are warned about, and the command goes on: orchestrators inject such names."""
        result = run("settings", GATEWAY_COLOUR="red", GATEWAY_PORT_8000_TCP="tcp://10.0.0.1:8000")
        assert result.exit_code == 0
        assert result.stderr.splitlines() == [
            "registration-gateway: warning: GATEWAY_COLOUR is not a setting of ours",
            "registration-gateway: warning: GATEWAY_PORT_8000_TCP is not a setting of ours",
        ]

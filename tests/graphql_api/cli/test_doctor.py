"""The command `doctor`: its report and its status."""

import json
from pathlib import Path

import pytest

from harness.smtp import SmtpServer
from registration.keys.secret import create_secret
from registration.keys.signing_keys import create_signing_key
from tests.graphql_api.cli.commands import complaint, run


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path, smtp: SmtpServer) -> dict[str, str]:
    """An installation on this machine, whose public address nothing serves."""
    create_secret(tmp_path / "keys")
    create_signing_key(tmp_path / "keys", "ES256")
    return {
        "GATEWAY_DATABASE_URL": sqlite_url,
        "GATEWAY_KEYS_DIR": str(tmp_path / "keys"),
        "GATEWAY_MAIL_URL": smtp.url,
        "GATEWAY_MAIL_FROM": "mail@shop.example",
        "GATEWAY_PUBLIC_URL": "http://127.0.0.1:1",
        "GATEWAY_HASH_SLOTS": "1",
    }


def test_a_sound_installation_ends_with_0(settings: dict[str, str]) -> None:
    """Nothing is bad: the status is 0. Each part has a line, as a table or as JSON."""
    result = run("doctor", "--json", **settings, GATEWAY_TYPO="x")
    assert result.exit_code == 0, result.output
    found = {each["what"]: each for each in json.loads(result.stdout)}
    parts = {"settings", "database", "schema", "keys", "mail server", "sender", "sender's domain", "hashing"}
    assert parts | {"public address", "free space", "clock", "TLS"} <= found.keys()
    assert found["settings"]["seen"] == "GATEWAY_TYPO is not a setting of ours"
    assert found["keys"].keys() == {"what", "verdict", "seen", "mend"}
    shown = run("doctor", **settings)
    assert "what to do" in shown.stdout


def test_something_bad_ends_with_1(settings: dict[str, str]) -> None:
    """Anything bad makes the status 1, and the rest is looked at all the same."""
    broken = {"GATEWAY_MAIL_URL": "", "GATEWAY_PUBLIC_URL": "", "GATEWAY_DATABASE_URL": "sqlite:////dev/null/r.db"}
    result = run("doctor", "--json", **(settings | broken))
    assert result.exit_code == 1
    bad = {each["what"]: each["seen"] for each in json.loads(result.stdout) if each["verdict"] == "bad"}
    assert {"settings", "database", "mail server"} <= bad.keys()
    assert bad["mail server"].startswith("GATEWAY_MAIL_URL is not set")


@pytest.mark.parametrize(("content", "verdict"), [("Welcome!", "good"), ("{% if %}", "bad")])
def test_templates_of_the_shop_are_tried(settings: dict[str, str], tmp_path: Path, content: str, verdict: str) -> None:
    """Where templates are taken instead of ours, a line says whether they can be used."""
    (tmp_path / "mails").mkdir()
    (tmp_path / "mails" / "welcome.mail").write_text(content)
    result = run("doctor", "--json", **settings, GATEWAY_TEMPLATES_DIR=str(tmp_path))
    assert [each["verdict"] for each in json.loads(result.stdout) if each["what"] == "templates"] == [verdict]


def test_settings_that_cannot_be_read_end_with_2() -> None:
    """A wrong value ends the doctor as it would end the gateway."""
    assert complaint(run("doctor", GATEWAY_PORT="x")).startswith("GATEWAY_PORT ")

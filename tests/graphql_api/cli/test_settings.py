"""The command `settings`."""

import json
from pathlib import Path

from graphql_api.settings import GatewaySettings
from tests.graphql_api.cli.commands import run


class TestSettings:
    def test_are_all_shown_with_value_default_and_meaning(self) -> None:
        """The table has every setting with its value, default and meaning; no file is created."""
        result = run("settings", GATEWAY_PORT="9000")
        assert (result.exit_code, result.stderr) == (0, "")
        for name, field in GatewaySettings.model_fields.items():
            assert f"GATEWAY_{name.upper()} " in result.stdout
            assert str(field.description) in result.stdout
        (line,) = [line for line in result.stdout.splitlines() if "GATEWAY_PORT " in line]
        assert line.replace("│", " ").split() == ["GATEWAY_PORT", "9000", "8000", "port", "to", "listen", "on"]
        assert list(Path.cwd().iterdir()) == []

    def test_are_shown_as_json(self) -> None:
        """`--json` prints an array with an object for each setting."""
        shown = json.loads(run("settings", "--json", GATEWAY_PORT="9000").stdout)
        assert [row["variable"] for row in shown] == [
            f"GATEWAY_{name.upper()}" for name in GatewaySettings.model_fields
        ]
        port = {"variable": "GATEWAY_PORT", "value": "9000", "default": "8000", "meaning": "port to listen on"}
        assert port in shown

    def test_show_no_password(self) -> None:
        """The passwords of the database and the mail server are masked."""
        result = run(
            "settings",
            GATEWAY_DATABASE_URL="postgresql://gateway:correct-horse@database/gateway",
            GATEWAY_MAIL_URL="smtps://mailer:correct-battery@mail.example:465",
        )
        assert "correct" not in result.output
        assert "postgresql://gateway:***@database/gateway" in result.stdout
        assert "smtps://mailer:***@mail.example:465" in result.stdout

"""docs/operations.md: it leads from each alert to a cause, and its commands work."""

import json
import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from graphql_api.settings import GatewaySettings
from registration.settings import PREFIX
from tests.conftest import Serve
from tests.graphql_api.cli.commands import run
from tests.graphql_api.server.test_processes import sign_up

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "operations.md").read_text("utf-8")
RULES = yaml.safe_load((REPOSITORY / "deploy" / "prometheus" / "alerts.yml").read_text("utf-8"))


def blocks(heading: str) -> list[str]:
    """The shell blocks below a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


@dataclass(frozen=True, slots=True)
class Backup:
    """The blocks about backups, which say where an installation is: run them where the test has it."""

    keys: str
    sqlite: str
    postgresql: str
    restored_keys: str
    restored_sqlite: str
    restored_postgresql: str
    check: str


def backup_of_the_page() -> Backup:
    found = Backup(*blocks("Back up and restore"))
    place, keys = found.keys.splitlines()
    assert place == "cd /var/lib/registration-gateway"
    return replace(found, keys=keys)


def test_each_alert_has_a_row() -> None:
    """The table has the alerts of the rules, in their order, and no other."""
    rows = re.findall(r"^\| `(Gateway\w+)` \|", PAGE, re.MULTILINE)
    assert rows == [rule["alert"] for group in RULES["groups"] for rule in group["rules"]]


def test_the_commands_and_settings_exist() -> None:
    """Every command that the page names answers to --help, and every setting is one."""
    names = {f"{PREFIX}{name.upper()}" for name in GatewaySettings.model_fields}
    assert set(re.findall(r"GATEWAY_[A-Z_]+", PAGE)) - names == set()
    commands = set(re.findall(r"`?registration-gateway ((?:keys |outbox |customers )?[a-z][a-z-]+)(?=[`\n ])", PAGE))
    ours = {
        each
        for each in commands
        if each.split()[0] in {"keys", "outbox", "customers", "doctor", "migrate", "restore-check"}
    }
    assert {"keys init", "keys new", "keys rotate-secret", "keys end-rotation", "migrate", "doctor"} <= ours
    for each in ours:
        assert run(*each.split(), "--help").exit_code == 0, each


@pytest.mark.long
def test_a_backup_is_restored_as_the_page_says(serve: Serve) -> None:
    """What the page backs up while a gateway runs, and restores elsewhere, has the customer and the keys."""
    gateway = serve(GATEWAY_DATABASE_URL="sqlite:///var/registration.db", GATEWAY_KEYS_DIR="keys")
    assert sign_up(gateway) == "CreateCustomerSuccess"
    directory = gateway.mail_directory.parent
    page = backup_of_the_page()
    for block in (page.keys, page.sqlite, page.restored_keys, page.restored_sqlite):
        subprocess.run(["sh", "-eu"], input=block, text=True, cwd=directory, check=True)
    restored = {
        "GATEWAY_DATABASE_URL": f"sqlite:///{directory}/restored/registration.db",
        "GATEWAY_KEYS_DIR": f"{directory}/restored/keys",
    }
    [found] = json.loads(run("customers", "find", "ada@example.org", "--json", **restored).stdout)
    assert found["reference"] == "DE--1"

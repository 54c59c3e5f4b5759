"""docs/operations.md: it leads from each alert to a cause, and its commands work."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest
import yaml  # type: ignore[import-untyped]

from graphql_api.settings import GatewaySettings
from harness.postgres import PREFIX as AS_POSTGRES
from harness.postgres import PostgresServer, new_directory, programs
from registration.settings import PREFIX
from registration.storage.database import open_database
from registration.storage.migrations import migrate
from tests.conftest import Serve
from tests.graphql_api.cli.commands import run
from tests.graphql_api.server.test_processes import sign_up
from tests.waiting import eventually

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


def installation_in(place: Path) -> dict[str, str]:
    return {
        "GATEWAY_DATABASE_URL": f"sqlite:///{place}/var/registration.db",
        "GATEWAY_KEYS_DIR": f"{place}/keys",
        "GATEWAY_ERASURE_LEDGER": f"{place}/erasures",
    }


@pytest.mark.long
def test_an_installation_moves_as_the_page_says(serve: Serve, tmp_path: Path) -> None:
    """What the page packs up and unpacks elsewhere has the customers, the keys of waiting mails, and the ledger."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    gateway = serve(**installation_in(old), GATEWAY_RELAY="off")
    for email in ("ada@example.org", "eve@example.org"):
        assert sign_up(gateway, email) == "CreateCustomerSuccess"
    gateway.stop()
    assert run("customers", "erase", "DE--1", "--yes", **installation_in(old)).stdout == "Done.\n"
    for block, place in zip(blocks("Move"), (old, new), strict=True):
        here = block.replace("/var/lib/registration-gateway", str(place)).replace("/root/", f"{tmp_path}/")
        lines = [line for line in here.splitlines() if not line.startswith(("systemctl", "registration-gateway"))]
        subprocess.run(["sh", "-eu"], input="\n".join(lines), text=True, check=True)
    gateway = serve(**installation_in(new))
    eventually(lambda: list(gateway.mail_directory.glob("*.eml")))
    assert (new / "erasures").read_text() == (old / "erasures").read_text() != ""


@pytest.fixture
def archive() -> Iterator[Path]:
    """A directory of the user of PostgreSQL."""
    directory = new_directory(on_disk=True)
    subprocess.run([*AS_POSTGRES, "mkdir", directory / "wal"], check=True)
    yield directory
    shutil.rmtree(directory)


@pytest.mark.long
def test_a_copy_follows_postgresql_as_the_page_says(archive: Path) -> None:
    """With the settings of the page, a base and the archive have what was committed after the base."""
    begun, lost = (
        each.replace("/var/backups/postgresql", str(archive)) for each in blocks("A copy that follows PostgreSQL")
    )
    settings = dict(re.findall(r"^(\w+) = '?(.*?)'?$", begun, re.MULTILINE))
    [arguments] = re.findall(r"pg_basebackup (.*)'", begun)
    with PostgresServer(on_disk=True, **settings) as server, closing(open_database(server.url())) as database:
        migrate(database)
        copy = [*AS_POSTGRES, programs(archive) / "pg_basebackup", f"--dbname={server.url()}", *arguments.split()]
        subprocess.run(copy, cwd=archive, check=True)
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("UPDATE installation SET oldest_revision = 'later'")
            [[segment]] = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchall()
            eventually((archive / "wal" / segment).exists)
        database.close()
        server.stop()
        here = lost.replace("/var/lib/postgresql/15/main", str(server.data))
        commands = [line for line in here.splitlines() if not line.startswith("systemctl")]
        subprocess.run(["sh", "-eu"], input="\n".join(commands), text=True, check=True)
        server.start()
        with psycopg.connect(server.url()) as connection:
            found = connection.execute("SELECT oldest_revision FROM installation").fetchone()
    assert found == ("later",)

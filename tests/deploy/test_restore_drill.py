"""A drill with the commands of docs/operations.md: backup, erase 1,000 customers, restore, restore-check."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from graphql_api.settings import GatewaySettings
from harness.postgres import drop_database, programs_of_wheel
from registration.environment import read_settings
from registration.outcomes import Disowned
from registration.services import Services
from registration.signing_up.confirmation import confirm, disown
from registration.storage.database import open_database
from registration.storage.references import GAP
from registration.storage.tables import metadata
from registration.support import actions
from registration.support.operator import Operator
from registration.wiring import open_services
from tests.deploy.test_operations import backup_of_the_page
from tests.graphql_api.cli.commands import invoke, run
from tests.registration.forms import request
from tests.registration.signing import sign_up
from tests.registration.stored import keys, rows

CHEAP = {"GATEWAY_HASH_MEMORY_KIB": "8", "GATEWAY_HASH_TIME_COST": "1", "GATEWAY_LIMITS": "off"}
ERASED, PENDING, LEFT = 1000, 100, 3
DRAWN = 1050  # references, in blocks
LEFT_NUMBERS = [ERASED + number for number in range(1, LEFT + 1)]
US = Operator("ada")


@dataclass(frozen=True, slots=True)
class Installation:
    """A directory with keys, a ledger, and the addresses of a database and of one that is to be restored."""

    directory: Path
    settings: dict[str, str]
    restored_url: str

    def shell(self, *commands: str) -> None:
        """Run blocks of the page in the directory."""
        environment = os.environ | {
            "PATH": f"{programs_of_wheel()}:{os.environ['PATH']}",
            "GATEWAY_DATABASE_URL": self.settings["GATEWAY_DATABASE_URL"],
        }
        for command in commands:
            subprocess.run(["sh", "-eu"], input=command, text=True, cwd=self.directory, check=True, env=environment)

    @property
    def restored(self) -> dict[str, str]:
        keys_directory = self.directory / "restored" / "keys"
        return self.settings | {"GATEWAY_DATABASE_URL": self.restored_url, "GATEWAY_KEYS_DIR": str(keys_directory)}


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    url: str = request.getfixturevalue(f"{request.param}_url")
    restored_url = f"sqlite:///{tmp_path}/restored/registration.db"
    (tmp_path / "var").mkdir()
    if request.param == "sqlite":
        place = Path(url.removeprefix("sqlite:///")).rename(tmp_path / "var" / "registration.db")
        url = f"sqlite:///{place}"
    else:
        restored_url = f"{url.rpartition('/')[0]}/restored"
    settings = {
        "GATEWAY_DATABASE_URL": url,
        "GATEWAY_KEYS_DIR": str(tmp_path / "keys"),
        "GATEWAY_ERASURE_LEDGER": str(tmp_path / "erasures"),
        **CHEAP,
    }
    # RSA takes a while.
    assert run("keys", "init", **settings, GATEWAY_TOKEN_ALGORITHM="ES256").exit_code == 0
    yield Installation(tmp_path, settings, restored_url)
    if request.param == "postgresql":
        drop_database(url, "restored")


@contextmanager
def services_of(settings: dict[str, str]) -> Iterator[Services]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        services = open_services(read_settings(GatewaySettings))
    with closing(services):
        yield services


@pytest.mark.long
@pytest.mark.usefixtures("unmeasured")
def test_customers_that_were_erased_after_the_backup_stay_erased(installation: Installation) -> None:
    """After the restore and restore-check no cell and no byte holds one of 1,000 addresses, and erase-proof agrees."""
    page, settings = backup_of_the_page(), installation.settings
    is_sqlite = settings["GATEWAY_DATABASE_URL"].startswith("sqlite")
    with services_of(settings) as services:
        for number in range(1, ERASED + LEFT + 1):
            sign_up(services, request(email=address(number), firstName="Zoe"))
        unconfirmed, confirmed = split(keys(services.database, services.secret))
        for key in confirmed:
            confirm(services, key)
        installation.shell(page.keys, page.sqlite if is_sqlite else page.postgresql)
        # Replaced meanwhile; the ledger's key stays.
        assert run("keys", "rotate-secret", **settings).exit_code == 0
        for key in unconfirmed:
            assert disown(services, key) == Disowned()
        for number in range(PENDING + 1, ERASED + 1):
            assert actions.erase(services, US, f"DE--{number}") is actions.ActionOutcome.DONE
    installation.shell(page.restored_keys, page.restored_sqlite if is_sqlite else page.restored_postgresql)
    assert "DE--500" in run("customers", "find", address(500), **installation.restored).stdout
    done = run("restore-check", **installation.restored)
    assert (done.exit_code, done.stdout.splitlines()) == (
        0,
        [
            f"The next reference is DE--{DRAWN + GAP + 1}; lost customers may have those before it.",
            f"The ledger names {ERASED} customers, the database had {ERASED + LEFT} that were not erased.",
            f"Erased again: {ERASED}. Not in the database, or erased there: 0.",
        ],
    )
    found = content(installation.restored_url)
    assert [number for number in range(1, ERASED + LEFT + 1) if address(number) in found] == LEFT_NUMBERS
    for number in (PENDING + 1, 500, ERASED):
        command = ("erase-proof", f"DE--{number}")
        proof = invoke(command, installation.restored, f"{address(number)}\nZoe\n")
        assert proof.exit_code == 0, proof.output


def address(number: int) -> str:
    return f"customer-{number}@example.org"


def split(found: list[str]) -> tuple[list[str], list[str]]:
    """Keys of the customers that stay unconfirmed, and those of the others."""
    return found[:PENDING], found[PENDING:]


def content(url: str) -> str:
    """Every cell of every table, and every byte of an SQLite file, as one text."""
    with closing(open_database(url)) as database:
        cells = "\n".join(str(row) for table in metadata.sorted_tables for row in rows(database, table))
    if not url.startswith("sqlite"):
        return cells
    return cells + Path(url.removeprefix("sqlite:///")).read_bytes().decode("latin-1")

"""The commands `customers …`."""

import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from graphql_api.cli.installation import prepare
from graphql_api.settings import GatewaySettings
from harness.disk import SmallDisk
from registration.wiring import open_services
from tests.graphql_api.cli.commands import complaint, run
from tests.registration.forms import PASSWORD, request
from tests.registration.members import member
from tests.registration.signing import sign_up

Environment = dict[str, str]
NAMELESS = 4_000_000_000
"""A user that no machine has in its passwd."""


@pytest.fixture
def installed(sqlite_url: str, tmp_path: Path) -> Environment:
    """An installation with DE--1, who is confirmed and signed in, and DE--2, who is not confirmed."""
    environment = {"GATEWAY_KEYS_DIR": str(tmp_path / "keys"), "GATEWAY_DATABASE_URL": sqlite_url, "COLUMNS": "200"}
    cheap = {"hash_memory_kib": 8, "hash_time_cost": 1}
    settings = GatewaySettings(keys_dir=environment["GATEWAY_KEYS_DIR"], database_url=sqlite_url, relay="off", **cheap)  # type: ignore[arg-type]
    prepare(settings)
    services = open_services(settings)
    member(services)
    sign_up(services, request(email="bob@example.org", firstName="Bob", lastName="Meier"))
    services.close()
    return environment | {"GATEWAY_HASH_MEMORY_KIB": "8", "GATEWAY_HASH_TIME_COST": "1", "SUDO_USER": "olga"}


def trail(environment: Environment, reference: str) -> list[tuple[str, str]]:
    shown = json.loads(run("audit", reference, "--json", **environment).stdout)
    return [(row["kind"], row["operator"]) for row in shown if row["operator"]]


def test_a_customer_is_found_and_shown(installed: Environment) -> None:
    """`find` and `show` tell name, address and state, as a table or JSON; no hash is shown."""
    shown = run("customers", "find", "mei", **installed).stdout
    assert "DE--2" in shown
    assert "not confirmed" in shown
    [found] = json.loads(run("customers", "find", "ada@example.org", "--json", **installed).stdout)
    assert (found["reference"], found["first_name"], "password_hash" in found) == ("DE--1", "Ada", False)
    [same] = json.loads(run("customers", "show", "DE--1", "--json", "--operator", "ole", **installed).stdout)
    assert same == found
    assert trail(installed, "DE--1") == [("operator show", "ole")]
    assert complaint(run("customers", "show", "DE--9", **installed)) == "there is no customer of that reference"


def test_each_act_is_recorded_with_the_name_of_the_user(installed: Environment) -> None:
    """Every command ends with a line, and leaves an audit row with the name of the user who logged in."""
    for command in ("block", "unblock", "unlock", "end-sessions"):
        assert run("customers", command, "DE--1", **installed).stdout == "Done.\n"
    for command in ("resend", "confirm"):
        assert run("customers", command, "DE--2", **installed).stdout == "Done.\n"
    kinds = ["block", "unblock", "operator unlock", "operator sign-out"]
    assert trail(installed, "DE--1") == [(kind, "olga") for kind in kinds]
    assert trail(installed, "DE--2") == [("operator resend", "olga"), ("operator confirm", "olga")]
    assert complaint(run("customers", "confirm", "DE--2", **installed)) == "the address is confirmed already"
    run("customers", "block", "DE--1", **installed)
    assert "blocked" in run("customers", "show", "DE--1", **installed).stdout


def test_a_profile_is_corrected_by_the_rules(installed: Environment) -> None:
    """`correct` changes what is named; it says what a rule refuses, and that nothing was named."""
    assert run("customers", "correct", "DE--1", "--last-name", "King", **installed).stdout == "Done.\n"
    assert "Ada King" in run("customers", "show", "DE--1", **installed).stdout
    assert (
        complaint(run("customers", "correct", "DE--1", "--last-name", "x" * 101, **installed)) == "lastName: TOO_LONG"
    )
    assert complaint(run("customers", "correct", "DE--1", **installed)) == "name what is to be corrected"


def test_everything_about_a_person_is_exported(installed: Environment) -> None:
    """`export` prints one JSON object with the person's rows by table, without a credential."""
    result = run("customers", "export", "DE--1", **installed)
    exported = json.loads(result.stdout)
    assert exported["customer"][0]["email"] == "ada@example.org"
    assert "argon2" not in result.stdout
    assert PASSWORD not in result.stdout
    assert complaint(run("customers", "export", "DE--9", **installed)) == "there is no customer of that reference"


def test_a_user_without_a_name_is_asked_for_one(installed: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the machine knows no name, as in a container, a command ends with one line; with a name it works."""
    monkeypatch.setattr(os, "getuid", lambda: NAMELESS)
    nameless = installed | dict.fromkeys(("SUDO_USER", "LOGNAME", "USER", "LNAME", "USERNAME"), "")
    assert complaint(run("customers", "block", "DE--1", **nameless)) == "this user has no name: give --operator"
    assert trail(installed, "DE--1") == []
    assert run("customers", "block", "DE--1", "--operator", "ole", **nameless).stdout == "Done.\n"
    assert trail(installed, "DE--1") == [("block", "ole")]


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [(SmallDisk.full, "No space left on device"), (SmallDisk.read_only, "Read-only file system")],
)
def test_nothing_is_erased_without_an_entry_in_the_ledger(
    installed: Environment, disk: SmallDisk, trouble: Callable[[SmallDisk], AbstractContextManager[None]], reason: str
) -> None:
    """While the ledger cannot be written, `erase` ends with one line that says so, and the customer stays."""
    installed |= {"GATEWAY_ERASURE_LEDGER": str(disk.path / "erasures")}
    assert run("customers", "show", "DE--1", **installed).exit_code == 0
    with trouble(disk):
        failed = complaint(run("customers", "erase", "DE--1", "--yes", **installed))
    assert failed == f"GATEWAY_ERASURE_LEDGER: the ledger of erasures cannot be written: {reason}"
    [found] = json.loads(run("customers", "show", "DE--1", "--json", **installed).stdout)
    assert found["email"] == "ada@example.org"
    assert run("customers", "erase", "DE--1", "--yes", **installed).stdout == "Done.\n"


def test_erasing_asks_first(installed: Environment) -> None:
    """`erase` asks unless it is told not to; an erased customer is not shown any more, and the trail stays."""
    assert run("customers", "erase", "DE--1", **installed).exit_code == 1
    assert run("customers", "erase", "DE--1", "--yes", **installed).stdout == "Done.\n"
    assert complaint(run("customers", "show", "DE--1", **installed)) == "the customer is erased"
    assert trail(installed, "DE--1") == [("operator erase", "olga")]
    found = run("customers", "find", "DE--1", **installed).stdout
    assert ("erased" in found, "None" in found) == (True, False)

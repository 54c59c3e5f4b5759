"""The command `erase-proof`, as an operator types it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import Result

from graphql_api.settings import GatewaySettings
from registration.account.erasure import anonymize
from registration.environment import read_settings
from registration.keys.secret import create_secret
from registration.keys.signing_keys import create_signing_key
from registration.services import Services
from registration.sessions.access_tokens import Caller
from registration.storage.tables import audit
from registration.wiring import open_services
from tests.graphql_api.cli.commands import invoke
from tests.registration.callers import authenticate
from tests.registration.members import CLIENT, member

PERSON = "ada@example.org\nAda\nBeispiel\n"
CHEAP = {"GATEWAY_HASH_MEMORY_KIB": "8", "GATEWAY_HASH_TIME_COST": "1"}


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator's environment, the services of the installation, and its one customer."""

    environment: dict[str, str]
    services: Services
    caller: Caller

    def prove(self, given: str, reference: str = "") -> Result:
        command = ["erase-proof", reference or self.caller.customer.reference]
        return invoke(command, self.environment, given)


@pytest.fixture
def operator(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    keys = tmp_path / "keys"
    create_secret(keys)
    create_signing_key(keys)
    environment = {"GATEWAY_DATABASE_URL": database_url, "GATEWAY_KEYS_DIR": str(keys), **CHEAP}
    with monkeypatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        services = open_services(read_settings(GatewaySettings))
    with closing(services):
        caller = authenticate(services, member(services).tokens.access_token)
        assert isinstance(caller, Caller)
        yield Operator(environment, services, caller)


def test_says_of_every_table_that_nothing_is_there(operator: Operator) -> None:
    """After an erasure each table, and each file of an SQLite database, gets a line that says nothing was found."""
    anonymize(operator.services, operator.caller, None, CLIENT)
    result = operator.prove(PERSON)
    assert result.exit_code == 0, result.output
    *lines, verdict = result.stdout.splitlines()
    assert verdict == f"ERASED: no trace of {operator.caller.customer.reference} in {len(lines)} places."
    assert "table customer: 1 rows, nothing found" in lines
    assert "table email_claim: 0 rows, nothing found" in lines
    assert all(line.endswith(", nothing found") for line in lines)
    is_file = operator.services.database.dialect == "sqlite"
    assert any(line.startswith("file registration.db: ") for line in lines) is is_file


def test_says_where_something_is_left(operator: Operator) -> None:
    """A value that is left is reported by column and count, not shown, and the status is 1."""
    anonymize(operator.services, operator.caller, None, CLIENT)
    row = {
        "id": operator.services.new_id(),
        "kind": "Ada",
        "email_key": "ada@example.org",
        "created_at": operator.services.clock(),
    }
    operator.services.database.write(lambda connection: connection.execute(audit.insert().values(row)))
    result = operator.prove(PERSON)
    assert result.exit_code == 1
    [line] = [line for line in result.stdout.splitlines() if line.startswith("table audit")]
    assert line.endswith("FOUND in kind (1), address (1)")
    assert re.search(r"\nNOT ERASED: traces of DE--1 in [12] of \d+ places\.\n$", result.stdout)
    assert "ada@example.org" not in result.output


@pytest.mark.parametrize(
    ("given", "reference", "complaint"),
    [
        ("", "", "give the e-mail address of the customer on standard input"),
        ("Ada\n", "", "give the e-mail address of the customer on standard input"),
        (PERSON, "DE--0", "no customer has the reference DE--0"),
        (PERSON, "", "DE--1 was not erased"),
    ],
)
def test_says_why_there_is_nothing_to_prove(operator: Operator, given: str, reference: str, complaint: str) -> None:
    """Without an address, or an erased customer of the reference, the command ends with one line."""
    result = operator.prove(given, reference)
    assert (result.exit_code, result.stderr) == (2, f"registration-gateway: {complaint}\n")


@pytest.mark.long
def test_asks_at_a_terminal(operator: Operator) -> None:
    """At a terminal the command asks for what to look for, so that no argument list or shell history holds it."""
    anonymize(operator.services, operator.caller, None, CLIENT)
    try:
        ours, theirs = os.openpty()
    except OSError as error:
        pytest.skip(f"TERMINAL NOT TESTED: this machine has no pseudo-terminal ({error})")
    os.write(ours, f"{PERSON}\x04".encode())
    done = subprocess.run(
        [Path(sys.executable).with_name("registration-gateway"), "erase-proof", operator.caller.customer.reference],
        stdin=theirs,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | operator.environment,
    )
    os.close(ours)
    os.close(theirs)
    assert done.stderr == "The e-mail address, the names, the date of birth, one a line; then Ctrl-D.\n"
    assert "table customer: 1 rows, nothing found" in done.stdout

"""The command `audit`."""

import json
from pathlib import Path

from graphql_api.cli.installation import prepare
from graphql_api.settings import GatewaySettings
from registration.wiring import open_services
from tests.graphql_api.cli.commands import complaint, run
from tests.registration.forms import PASSWORD
from tests.registration.members import confirmed, signed_in


def test_shows_every_record_of_a_customer(sqlite_url: str, tmp_path: Path) -> None:
    """A line for each record of the customer tells when, what and from where, and no secret."""
    environment = {"GATEWAY_KEYS_DIR": str(tmp_path / "keys"), "GATEWAY_DATABASE_URL": sqlite_url, "COLUMNS": "200"}
    settings = GatewaySettings(
        keys_dir=environment["GATEWAY_KEYS_DIR"],
        database_url=sqlite_url,
        relay="off",
        hash_memory_kib=8,
        hash_time_cost=1,
    )
    prepare(settings)
    services = open_services(settings)
    ada = confirmed(services)
    signed_in(services)
    services.close()
    done = run("audit", ada.reference, **environment)
    assert done.exit_code == 0
    lines = [line.split("│")[1:4] for line in done.output.splitlines() if "│" in line]
    assert [(what.strip(), where.strip()) for _, what, where in lines] == [
        ("sign-up", "192.0.2.1"),
        ("confirm", ""),
        ("sign-in", "192.0.2.1"),
    ]
    assert PASSWORD not in done.output
    shown = json.loads(run("audit", ada.reference, "--json", **environment).stdout)
    assert [(row["kind"], row["client_ip"]) for row in shown] == [
        ("sign-up", "192.0.2.1"),
        ("confirm", None),
        ("sign-in", "192.0.2.1"),
    ]


def test_says_that_a_reference_is_unknown(sqlite_url: str) -> None:
    """A reference of no customer ends the command with one line."""
    assert (
        complaint(run("audit", "DE--99", GATEWAY_DATABASE_URL=sqlite_url)) == "there is no customer of that reference"
    )

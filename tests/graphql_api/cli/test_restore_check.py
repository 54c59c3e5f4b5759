"""The command `restore-check`; tests/deploy/test_restore_drill.py runs it after a real restore."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from registration.keys.secret import Secret, load_ledger_key
from registration.records import audit
from registration.records.audit import AuditKind
from registration.records.ledger import Ledger
from registration.storage.database import Database
from registration.storage.references import GAP, References
from tests.graphql_api.cli.commands import complaint, run
from tests.registration.people import NOW, signed_up


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> dict[str, str]:
    settings = {
        "GATEWAY_DATABASE_URL": database_url,
        "GATEWAY_KEYS_DIR": str(tmp_path / "keys"),
        "GATEWAY_ERASURE_LEDGER": str(tmp_path / "erasures"),
    }
    assert run("keys", "init", **settings, GATEWAY_TOKEN_ALGORITHM="ES256").exit_code == 0
    return settings


@pytest.fixture
def ledger(settings: dict[str, str]) -> Ledger:
    return Ledger(Path(settings["GATEWAY_ERASURE_LEDGER"]), load_ledger_key(Path(settings["GATEWAY_KEYS_DIR"])))


def next_after(numbers: int) -> str:
    """The first line of the command, where a new installation has left so many numbers out."""
    return f"The next reference is DE--{numbers + 1}; lost customers may have those before it."


def test_says_what_it_erased(database: Database, settings: dict[str, str], ledger: Ledger) -> None:
    """A customer of the ledger is erased, one that is not in the database is counted, and the status is 0."""
    signed_up(database, reference="DE--2", email="bob@example.org")
    ledger.record([signed_up(database, reference="DE--1"), uuid4()], NOW)
    done = run("restore-check", **settings)
    assert (done.exit_code, done.stdout.splitlines()) == (
        0,
        [
            next_after(GAP),
            "The ledger names 2 customers, the database had 2 that were not erased.",
            "Erased again: 1. Not in the database, or erased there: 1.",
        ],
    )
    assert run("customers", "show", "DE--2", **settings).exit_code == 0
    assert complaint(run("customers", "show", "DE--1", **settings)) == "there is no customer of that reference"


def test_says_what_it_could_not_do(database: Database, settings: dict[str, str], ledger: Ledger) -> None:
    """A spared customer, entries of another key and damaged lines are told, each in a line, and the status is 1."""
    customer_id = signed_up(database, reference="DE--1")
    ledger.record([customer_id], NOW)
    later = NOW + timedelta(hours=1)
    database.write(lambda connection: audit.record(connection, uuid4(), AuditKind.SIGN_IN, customer_id, later))
    assert ledger.path
    Ledger(ledger.path, Secret(b"o" * 32)).record([uuid4()], NOW)
    damaged = ledger.path.with_name("of another node")
    damaged.write_text("2026-")
    done = run("restore-check", str(ledger.path), str(damaged), **settings)
    assert (done.exit_code, done.stdout.splitlines()[2:]) == (
        1,
        [
            "Erased again: 0. Not in the database, or erased there: 0.",
            "SPARED, who signed in after the entry: DE--1. To erase: registration-gateway customers erase",
            "NOT USED: 1 entries of another ledger.key.",
            "NOT USED: 1 lines that are damaged.",
        ],
    )


def test_leaves_references_out_before_all_else(database: Database, settings: dict[str, str]) -> None:
    """No reference of before the restore is given out again, even if no ledger is named, or it is not there."""
    Path(settings["GATEWAY_ERASURE_LEDGER"]).touch()
    runs = [
        run("restore-check", **settings | {"GATEWAY_ERASURE_LEDGER": ""}),
        run("restore-check", "nowhere", **settings),
        run("restore-check", **settings),
    ]
    assert [done.exit_code for done in runs] == [2, 2, 0]
    assert [done.stdout.splitlines()[0] for done in runs] == [next_after(GAP * number) for number in (1, 2, 3)]
    assert References(database, "DE").draw() == f"DE--{3 * GAP + 1}"


def test_needs_a_ledger(settings: dict[str, str]) -> None:
    """Without the setting, or where a file is not there, the command ends with one line."""
    reason = complaint(run("restore-check", **settings | {"GATEWAY_ERASURE_LEDGER": ""}))
    assert reason == "GATEWAY_ERASURE_LEDGER is not set: name it, or the ledgers as arguments"
    assert complaint(run("restore-check", "nowhere", **settings)) == "nowhere: No such file or directory"


def test_a_ledger_that_cannot_be_written_is_told_by_its_setting(settings: dict[str, str]) -> None:
    """A command that could erase stops with one line that names the setting of the ledger."""
    reason = complaint(run("customers", "show", "DE--1", **settings | {"GATEWAY_ERASURE_LEDGER": "/nowhere/erasures"}))
    assert reason == "GATEWAY_ERASURE_LEDGER: the ledger of erasures cannot be written: No such file or directory"

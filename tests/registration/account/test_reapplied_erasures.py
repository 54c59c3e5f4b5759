"""Every erasure is in the ledger, and a restored database can be told of it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

import pytest
from sqlalchemy import Connection, Table, insert

from registration.account import erasure
from registration.account.erasure import anonymize
from registration.account.reapplied_erasures import Reapplied, reapply
from registration.keys.secret import Secret
from registration.outcomes import Disowned
from registration.records.ledger import Ledger, mark_of, read_ledger
from registration.services import Services
from registration.signing_up.confirmation import disown
from registration.storage.database import Unavailable
from registration.storage.tables import attempt, audit, customer, email_claim, metadata
from registration.support import actions
from registration.support.operator import Operator
from tests.clock import Clock
from tests.registration.callers import caller_of
from tests.registration.forms import PASSWORD, request
from tests.registration.members import CLIENT, confirmed, member, signed_in
from tests.registration.signing import sign_in, sign_up
from tests.registration.stored import keys, rows
from tests.registration.tidying import KEEPING, tidied

KEY = Secret(b"k" * 32)
US = Operator("ada")
Erase: TypeAlias = Callable[[Services], object]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "erasures"


@pytest.fixture
def kept(services: Services, path: Path) -> Services:
    """Services that keep a ledger."""
    return replace(services, ledger=Ledger(path, KEY))


def by_customer(services: Services) -> None:
    new = member(services)
    anonymize(services, caller_of(services, new.tokens), PASSWORD, CLIENT)


def by_operator(services: Services) -> None:
    assert actions.erase(services, US, confirmed(services).reference) is actions.ActionOutcome.DONE


def pending_by_operator(services: Services) -> None:
    sign_up(services, request())
    assert actions.erase(services, US, "DE--1") is actions.ActionOutcome.DONE


def by_owner_of_the_mailbox(services: Services) -> None:
    sign_up(services, request())
    assert disown(services, keys(services.database, services.secret)[-1]) == Disowned()


def by_housekeeping(services: Services) -> None:
    sign_up(services, request())
    later = services.clock() + KEEPING.pending + timedelta(days=2)
    keeping = replace(KEEPING, ledger=services.ledger)
    services.database.write(lambda connection: keeping.tidy_up(connection, later, 10))


WAYS = [by_customer, by_operator, pending_by_operator, by_owner_of_the_mailbox, by_housekeeping]


@pytest.mark.parametrize("erase", WAYS)
def test_every_erasure_is_in_the_ledger(kept: Services, path: Path, erase: Erase) -> None:
    """After an erasure in any way, the ledger names the customer of the sign-up."""
    erase(kept)
    signed_up = next(row["customer_id"] for row in rows(kept.database, audit) if row["kind"] == "sign-up")
    assert read_ledger([path], KEY).erased.keys() == {mark_of(KEY, signed_up)}


def test_housekeeping_without_an_account_writes_no_entry(kept: Services, path: Path, clock: Clock) -> None:
    """Housekeeping that erases no account does not touch the ledger."""
    assert tidied(kept.database, clock.now) == []
    assert not path.exists()


@pytest.mark.parametrize("erase", WAYS)
def test_nothing_is_erased_when_the_ledger_cannot_be_written(services: Services, erase: Erase) -> None:
    """A ledger on a full disk ends the erasure as an outage, and the account is there with all its rows."""
    full = replace(services, ledger=Ledger(Path("/dev/full"), KEY))
    with pytest.raises(Unavailable, match="the ledger of erasures cannot be written: No space left on device"):
        erase(full)
    [row] = rows(services.database, customer)
    assert (row["email"], row["anonymized_at"]) == ("ada@example.org", None)
    assert len(rows(services.database, email_claim)) == 1
    assert any(row["client_ip"] for row in rows(services.database, audit))


def test_a_restored_customer_is_erased_again(kept: Services, path: Path, clock: Clock) -> None:
    """A customer, and a pending account, that a backup brought back are erased; another customer is left."""
    new, other = member(kept), confirmed(kept, email="bob@example.org")
    sign_up(kept, request(email="eve@example.org"))
    backup = {table: rows(kept.database, table) for table in metadata.sorted_tables}
    clock.move(timedelta(hours=1))
    anonymize(kept, caller_of(kept, new.tokens), None, CLIENT)
    actions.erase(kept, US, "DE--3")
    _restore(kept, backup)
    clock.move(timedelta(days=1))
    entries = read_ledger([path], KEY)
    size = path.stat().st_size
    assert reapply(kept, KEY, entries) == Reapplied(seen=3, erased=2, spared=[])
    living = [row["reference"] for row in rows(kept.database, customer) if row["anonymized_at"] is None]
    assert living == [other.reference]
    assert [row["address"] for row in rows(kept.database, email_claim)] == ["bob@example.org"]
    assert path.stat().st_size == size
    assert reapply(kept, KEY, entries) == Reapplied(seen=1, erased=0, spared=[])


def test_counts_of_a_restored_address_go_too(kept: Services, path: Path) -> None:
    """The counts that name a pending account's address go with it, as when an operator erases it."""
    sign_up(kept, request())
    sign_in(kept, "ada@example.org", "wrong", CLIENT)
    assert rows(kept.database, attempt)
    backup = {table: rows(kept.database, table) for table in metadata.sorted_tables}
    actions.erase(kept, US, "DE--1")
    _restore(kept, backup)
    reapply(kept, KEY, read_ledger([path], KEY))
    assert rows(kept.database, attempt) == []


def test_a_customer_whose_erasure_did_not_come_about_is_spared(kept: Services, path: Path, clock: Clock) -> None:
    """Killed between the entry and the commit, the customer lives on: a later sign-in shows it, and an earlier not."""
    gone_on, left = member(kept), confirmed(kept, email="bob@example.org")
    with pytest.raises(KilledHere):
        kept.database.write(lambda connection: _erase_and_be_killed(kept, gone_on.customer.id, connection))
    with pytest.raises(KilledHere):
        kept.database.write(lambda connection: _erase_and_be_killed(kept, left.id, connection))
    clock.move(timedelta(minutes=2))
    signed_in(kept)
    spared = [gone_on.customer.reference]
    assert reapply(kept, KEY, read_ledger([path], KEY)) == Reapplied(seen=2, erased=1, spared=spared)
    assert {row["reference"]: row["anonymized_at"] is None for row in rows(kept.database, customer)} == {
        gone_on.customer.reference: True,
        left.reference: False,
    }


class KilledHere(Exception):
    """Stands for the end of the process: what its transaction wrote is rolled back."""


def _erase_and_be_killed(services: Services, customer_id: UUID, connection: Connection) -> None:
    erasure.erase(services, customer_id, connection)
    raise KilledHere


def _restore(services: Services, backup: Mapping[Table, list[dict[str, Any]]]) -> None:
    def work(connection: Connection) -> None:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
            if backup[table]:
                connection.execute(insert(table), backup[table])

    services.database.write(work)

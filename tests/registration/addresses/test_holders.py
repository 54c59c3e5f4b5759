"""Who holds an address, on both engines."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Connection, Row, select

from registration.account.erasure import anonymize
from registration.addresses.holders import Holder, find_holder, lock_holder, nearest_claim
from registration.mail import outbox
from registration.services import Services
from registration.storage.tables import customer, email_claim, mail
from tests.clock import Clock
from tests.registration.callers import caller_of
from tests.registration.forms import request
from tests.registration.members import confirmed, member
from tests.registration.signing import sign_up
from tests.registration.statements import statements_of
from tests.registration.stored import rows
from tests.waiting import eventually, wait_for

ADA = "ada@example.org"


def found(services: Services, address: str = ADA) -> Holder | None:
    return services.database.read(lambda connection: find_holder(connection, address, services.clock()))


def test_nobody_holds_an_address_beside_others(services: Services) -> None:
    """Neither the next one in the alphabet is mistaken for it nor the one before; nor where there is none at all."""
    assert found(services) is None
    for email in ("aaa@example.org", "zoe@example.org"):
        confirmed(services, email=email)
    assert found(services) is None
    assert found(services, "zzz@example.org") is None


def test_a_sign_up_is_firm_while_its_key_is_good(services: Services, clock: Clock) -> None:
    """Then it gives way."""
    sign_up(services, request(email=ADA))
    [row] = rows(services.database, customer)
    assert found(services) == Holder(row["id"], is_confirmed=False, is_firm=True)
    clock.move(timedelta(days=1))
    assert found(services) == Holder(row["id"], is_confirmed=False, is_firm=False)


def test_a_confirmed_one_is_firm(services: Services, clock: Clock) -> None:
    """For ever."""
    person = confirmed(services, email=ADA)
    clock.move(timedelta(days=1000))
    assert found(services) == Holder(person.id, is_confirmed=True, is_firm=True)


def test_a_claim_without_an_account_is_told(services: Services) -> None:
    """It is one that nobody can confirm, and that is not overlooked."""
    nobody = services.new_id()
    row = {"address": ADA, "customer_id": nobody}
    services.database.write(lambda connection: connection.execute(email_claim.insert().values(row)))
    assert found(services) == Holder(nobody, is_confirmed=False, is_firm=False)


def test_the_look_up_of_an_unknown_address_reads_the_account_with_the_next_one(services: Services) -> None:
    """As many pages are fetched as for a known address; otherwise the time would tell which one is known."""
    bob = confirmed(services, email="bob@example.org")
    zoe = confirmed(services, email="zoe@example.org")

    def nearest(address: str) -> Row[Any]:
        found = services.database.read(lambda connection: nearest_claim(connection, address, services.clock()))
        assert found is not None
        return found

    for address, person in (("ada@example.org", bob), ("bob@example.org", bob), ("cleo@example.org", zoe)):
        assert nearest(address).customer_id == person.id
        assert nearest(address).confirmed_at == person.confirmed_at


def test_an_address_is_found_in_one_statement(services: Services) -> None:
    """Known or not, by the order of the claims and by nothing that grows with them."""
    confirmed(services, email=ADA)
    for address in (ADA, "aaa@example.org"):
        _, said = statements_of(lambda: found(services, address))  # noqa: B023 - called at once
        assert len([statement for statement in said if statement != "BEGIN"]) == 1


def wait_for_a_waiter(connection: Connection) -> None:
    eventually(lambda: connection.exec_driver_sql("SELECT FROM pg_locks WHERE NOT granted").fetchall())


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
class TestKeep:
    """Where transactions run side by side."""

    def test_who_erases_waits(self, services: Services) -> None:
        """And forgets what was written meanwhile, too."""
        ada = caller_of(services, member(services, email=ADA).tokens)
        is_kept = Event()

        def post(connection: Connection) -> None:
            now = services.clock()
            assert lock_holder(connection, find_holder(connection, ADA, now))
            is_kept.set()
            wait_for_a_waiter(connection)
            outbox.enqueue(connection, kind="reset", customer_id=ada.customer.id, token_id=None, now=now)

        with ThreadPoolExecutor(1) as threads:
            posting = threads.submit(services.database.write, post)
            wait_for(is_kept)
            anonymize(services, ada, None)
            posting.result()
        assert rows(services.database, mail) == []

    def test_who_is_erased_at_this_moment_is_nobody(self, services: Services) -> None:
        """The erasure that was first is waited for."""
        confirmed(services, email=ADA)
        holder = found(services)
        is_erased = Event()

        def erase(connection: Connection) -> None:
            connection.execute(select(customer).with_for_update())
            connection.execute(customer.update().values(anonymized_at=services.clock()))
            is_erased.set()
            wait_for_a_waiter(connection)

        with ThreadPoolExecutor(1) as threads:
            erasing = threads.submit(services.database.write, erase)
            wait_for(is_erased)
            assert services.database.write(lambda connection: lock_holder(connection, holder)) is None
            erasing.result()

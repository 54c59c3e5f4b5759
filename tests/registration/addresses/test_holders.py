"""Which account holds an address, on both engines."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from uuid import UUID

import pytest
from sqlalchemy import Connection, select

from registration.account.erasure import anonymize
from registration.addresses.holders import Holder, find_holder, lock_holder, nearest_claim
from registration.mail import outbox
from registration.services import Services
from registration.storage.tables import customer, email_claim, mail
from tests.clock import Clock
from tests.registration.callers import caller_of
from tests.registration.forms import request
from tests.registration.members import CLIENT, confirmed, member
from tests.registration.signing import sign_up
from tests.registration.statements import statements_of
from tests.registration.stored import rows
from tests.waiting import eventually, wait_for

ADA = "ada@example.org"


def found(services: Services, address: str = ADA) -> Holder | None:
    return services.database.read(lambda connection: find_holder(connection, address, services.clock()))


def test_a_neighbour_of_the_address_is_no_holder(services: Services) -> None:
    """An address without a claim has no holder, with or without claims before and after it in the alphabet."""
    assert found(services) is None
    for email in ("aaa@example.org", "zoe@example.org"):
        confirmed(services, email=email)
    assert found(services) is None
    assert found(services, "zzz@example.org") is None


def test_a_pending_account_is_firm_until_its_key_expires(services: Services, clock: Clock) -> None:
    """A pending account is a firm holder until its key expires, and not firm from then on."""
    sign_up(services, request(email=ADA))
    [row] = rows(services.database, customer)
    assert found(services) == Holder(row["id"], is_confirmed=False, is_firm=True)
    clock.move(timedelta(days=1))
    assert found(services) == Holder(row["id"], is_confirmed=False, is_firm=False)


def test_a_confirmed_account_is_firm(services: Services, clock: Clock) -> None:
    """A confirmed account is a firm holder, still after 1000 days."""
    person = confirmed(services, email=ADA)
    clock.move(timedelta(days=1000))
    assert found(services) == Holder(person.id, is_confirmed=True, is_firm=True)


def test_a_claim_without_an_account_has_a_holder(services: Services) -> None:
    """A claim without an account has a holder that is neither confirmed nor firm."""
    made_up_id = services.new_id()
    row = {"address": ADA, "customer_id": made_up_id}
    services.database.write(lambda connection: connection.execute(email_claim.insert().values(row)))
    assert found(services) == Holder(made_up_id, is_confirmed=False, is_firm=False)


def test_the_look_up_of_an_unknown_address_reads_the_account_with_the_next_one(services: Services) -> None:
    """As many pages are fetched as for a known address; otherwise the time would tell which one is known."""
    bob = confirmed(services, email="bob@example.org")
    zoe = confirmed(services, email="zoe@example.org")

    def nearest(address: str) -> UUID | None:
        claim = services.database.read(lambda connection: nearest_claim(connection, address))
        return claim and claim.customer_id

    for address, person in (("ada@example.org", bob), ("bob@example.org", bob), ("cleo@example.org", zoe)):
        assert nearest(address) == person.id
    assert nearest("zzz@example.org") is None


def test_an_address_and_its_account_are_found_in_two_statements(services: Services) -> None:
    """The look-up of a known or an unknown address is two statements: one for the claim, one for its account."""
    confirmed(services, email=ADA)
    for address in (ADA, "aaa@example.org", "zzz@example.org"):
        _, said = statements_of(lambda: found(services, address))  # noqa: B023 - called at once
        assert len([statement for statement in said if statement != "BEGIN"]) == 2


def wait_for_a_waiter(connection: Connection) -> None:
    eventually(lambda: connection.exec_driver_sql("SELECT FROM pg_locks WHERE NOT granted").fetchall())


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
class TestLockHolder:
    """On PostgreSQL, where writing transactions run side by side."""

    def test_erasure_waits_for_the_lock(self, services: Services) -> None:
        """An erasure waits for a transaction that has locked the holder, and deletes the rows that this one wrote."""
        ada = caller_of(services, member(services, email=ADA).tokens)
        is_locked = Event()

        def post(connection: Connection) -> None:
            now = services.clock()
            assert lock_holder(connection, find_holder(connection, ADA, now))
            is_locked.set()
            wait_for_a_waiter(connection)
            outbox.enqueue(connection, kind="reset", customer_id=ada.customer.id, token_id=None, now=now)

        with ThreadPoolExecutor(1) as threads:
            posting = threads.submit(services.database.write, post)
            wait_for(is_locked)
            anonymize(services, ada, None, CLIENT)
            posting.result()
        assert rows(services.database, mail) == []

    def test_an_account_that_is_being_erased_is_none(self, services: Services) -> None:
        """`lock_holder` waits for an erasure that was first, and then returns None."""
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

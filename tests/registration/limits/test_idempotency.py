"""Idempotency keys: one outcome for a day, and no stored value that tells what was sent."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection

from registration.keys.secret import Secret
from registration.limits.idempotency import LIFETIME, Record, Ticket, begin, finish, recall, ticket_of
from registration.storage.database import Database
from registration.storage.tables import idempotency
from tests.clock import Clock
from tests.registration.stored import rows

SECRET = Secret(b"s" * 32)
CUSTOMER = uuid4()

NOW = Clock()()


GIVEN: dict[str, str | None] = {"name": "Ada", "password": "correct horse"}


def ticket(key: str = "k" * 16, **changes: str | None) -> Ticket:
    return ticket_of(SECRET, "createCustomer", key, GIVEN | changes)


class TestTicket:
    def test_is_the_same_for_the_same_use(self) -> None:
        """The same key and input have the same ticket."""
        assert ticket() == ticket()

    @pytest.mark.parametrize(
        "other", [ticket(name="Eve"), ticket(password="other"), ticket("l" * 16), ticket(name="Ada ", password=None)]
    )
    def test_is_another_for_another_use(self, other: Ticket) -> None:
        """Another key, or another value of the input, has another ticket."""
        assert other != ticket()

    def test_does_not_mix_up_values(self) -> None:
        """A value that looks like the end of another and the start of a third has another ticket."""
        assert ticket(name="Ada\npassword=x", password="") != ticket(name="Ada", password="x")

    def test_is_of_one_operation(self) -> None:
        """The same key has another ticket in another operation."""
        assert ticket_of(SECRET, "other", "k" * 16, GIVEN).key != ticket().key

    def test_cannot_be_tried_out_without_the_secret(self) -> None:
        """Another secret gives another ticket, so a reader of the database cannot test passwords."""
        other = ticket_of(Secret(b"t" * 32), "createCustomer", "k" * 16, GIVEN)
        assert {other.key, other.fingerprint}.isdisjoint({ticket().key, ticket().fingerprint})


def use(database: Database, clock: Clock, used: Ticket, customer_id: UUID | None = CUSTOMER) -> Record | None:
    """Begin, and finish at the first use if a customer comes of it."""

    def work(connection: Connection) -> Record | None:
        record = begin(connection, used, clock())
        if record is None and customer_id:
            finish(connection, used, customer_id)
        return record

    return database.write(work)


class TestRecord:
    def test_keeps_the_outcome(self, database: Database, clock: Clock) -> None:
        """The second use and a look-up get the record of the first use."""
        assert database.read(lambda connection: recall(connection, ticket(), clock())) is None
        assert use(database, clock, ticket()) is None
        assert use(database, clock, ticket()) == Record(True, CUSTOMER, NOW)
        assert database.read(lambda connection: recall(connection, ticket(), clock())) == Record(True, CUSTOMER, NOW)

    def test_keeps_that_there_was_no_customer(self, database: Database, clock: Clock) -> None:
        """A first use without a customer is recorded as such."""
        use(database, clock, ticket(), None)
        assert use(database, clock, ticket()) == Record(True, None, NOW)

    def test_tells_other_input(self, database: Database, clock: Clock) -> None:
        """The record says that a later use has other input."""
        use(database, clock, ticket())
        assert use(database, clock, ticket(password="other")) == Record(False, CUSTOMER, NOW)

    def test_lasts_a_day(self, database: Database, clock: Clock) -> None:
        """A record is found until a day has passed, and then the key is new."""
        use(database, clock, ticket())
        clock.move(LIFETIME - timedelta(microseconds=1))
        assert use(database, clock, ticket(), None) == Record(True, CUSTOMER, NOW)
        clock.move(timedelta(microseconds=1))
        assert database.read(lambda connection: recall(connection, ticket(), clock())) is None
        assert use(database, clock, ticket(), None) is None
        assert use(database, clock, ticket()) == Record(True, None, NOW + LIFETIME)

    def test_is_taken_back_with_its_transaction(self, database: Database, clock: Clock) -> None:
        """A first use whose transaction fails leaves no record."""

        def fail(connection: Connection) -> None:
            begin(connection, ticket(), clock())
            raise InterruptedError

        with pytest.raises(InterruptedError):
            database.write(fail)
        assert use(database, clock, ticket()) is None

    def test_is_written_by_one_of_many(self, database: Database, clock: Clock) -> None:
        """Of ten uses at once one is the first, and the others wait for its record."""
        with ThreadPoolExecutor(10) as threads:
            records = list(threads.map(lambda _: use(database, clock, ticket()), range(10)))
        assert records.count(None) == 1
        assert records.count(Record(True, CUSTOMER, NOW)) == 9

    def test_holds_nothing_that_was_sent(self, database: Database, clock: Clock) -> None:
        """A record holds values under the secret, and neither the key nor the input."""
        use(database, clock, ticket())
        (row,) = rows(database, idempotency)
        assert row["key"] == ticket().key
        assert not any(word in str(row) for word in ("kkkk", "Ada", "horse"))

"""Claims of addresses, on both engines."""

from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, event, select

from registration.addresses.claims import claim
from registration.services import Services
from registration.storage.tables import email_claim
from tests.clock import Clock

ADA = "ada@example.org"


def test_an_address_that_is_released_meanwhile_is_claimed(services: Services, clock: Clock) -> None:
    """A claim that another transaction releases, after it was found taken and before it is read, is claimed again."""
    first, second = uuid4(), uuid4()

    def release_before_it_is_read(connection: Connection, cursor: Any, statement: str, *_: object) -> None:
        if statement.startswith("SELECT email_claim"):
            cursor.execute(f"DELETE FROM email_claim WHERE address = '{ADA}'")  # noqa: S608 - a constant

    def work(connection: Connection) -> bool:
        assert claim(connection, ADA, first, clock.now)
        event.listen(connection, "before_cursor_execute", release_before_it_is_read)
        return claim(connection, ADA, second, clock.now)

    assert services.database.write(work)
    holder = services.database.read(lambda connection: connection.scalar(select(email_claim.c.customer_id)))
    assert holder == second

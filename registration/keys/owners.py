"""The owner of a mailed key: the key names no customer, but its table may be distributed by customer id."""

from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, Table, bindparam, select


def owner_of(connection: Connection, keys: Table, key_digest: str) -> UUID | None:
    """The customer of a key, given by its digest, of this table; None without one. Takes no lock.

    An engine of several nodes asks all of them; statements that follow can name the customer.
    """
    return connection.scalars(_owner(keys), {"wanted": key_digest}).one_or_none()


@cache
def _owner(keys: Table) -> Select[Any]:
    return select(keys.c.customer_id).where(keys.c.digest == bindparam("wanted"))

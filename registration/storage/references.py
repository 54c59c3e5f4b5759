"""Customer references such as DE--25, drawn in blocks, so that numbers can be left out."""

import re
from collections import deque

from sqlalchemy import Connection, update

from registration.storage.database import Database
from registration.storage.tables import counter

BLOCK = 50
GAP = 1_000_000
"""Numbers that a restored database leaves out: more than were given out since its backup."""
NAME = "customer"
# Up to what every reader of JSON keeps as a 64-bit integer.
NUMBERED = re.compile(r".*-([1-9][0-9]{0,17})", re.DOTALL)


class References:
    """Draws references; safe for any thread.

    A process draws a block at a time, so that sign-ups do not wait for the row of the counter.
    """

    def __init__(self, database: Database, prefix: str) -> None:
        self._database = database
        self._prefix = prefix
        self._free: deque[int] = deque()

    def draw(self) -> str:
        """A new reference, whose number is not given out again. Raises Unavailable."""
        try:
            number = self._free.popleft()
        except IndexError:
            # Threads that meet here draw a block each: none has to wait until another's attempt has failed.
            number = self._database.write(_draw_block)
            self._free.extend(range(number + 1, number + BLOCK))
        return f"{self._prefix}--{number}"


def number_in(reference: str) -> int | None:
    """The number at the end of a reference, 25 of DE--25; None for one of another form, as a shop may import them."""
    match = NUMBERED.fullmatch(reference)
    return int(match[1]) if match else None


def leave_out(connection: Connection, numbers: int = GAP) -> int:
    """Leave numbers out, and return the next one that is given out. May be repeated: then more are left out."""
    further = update(counter).where(counter.c.name == NAME).values(next=counter.c.next + numbers)
    return int(connection.execute(further.returning(counter.c.next)).scalar_one())


def _draw_block(connection: Connection) -> int:
    return leave_out(connection, BLOCK) - BLOCK

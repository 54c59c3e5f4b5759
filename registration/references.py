"""Customer references such as DE--25, drawn in blocks; it never promises that no number is left out."""

from threading import Lock

from sqlalchemy import Connection, update

from registration.database import Database
from registration.tables import counter

BLOCK = 50
NAME = "customer"


class References:
    """Hands out references; a process draws a block at a time, so that no sign-up waits for a hot row."""

    def __init__(self, database: Database, prefix: str) -> None:
        self._database = database
        self._prefix = prefix
        self._lock = Lock()
        self._free = range(0)

    def draw(self) -> str:
        """The next reference; its number is never given out again."""
        with self._lock:
            if not self._free:
                start = self._database.write(_draw_block)
                self._free = range(start, start + BLOCK)
            number, self._free = self._free[0], self._free[1:]
        return f"{self._prefix}--{number}"


def _draw_block(connection: Connection) -> int:
    after = connection.execute(
        update(counter).where(counter.c.name == NAME).values(next=counter.c.next + BLOCK).returning(counter.c.next)
    ).scalar_one()
    return int(after) - BLOCK

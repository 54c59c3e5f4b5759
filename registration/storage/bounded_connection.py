"""A PostgreSQL connection that gives up on a server that stands still; it never decides how long is too long."""

from typing import Any

from psycopg import Connection, OperationalError
from psycopg.abc import RV, PQGen


class BoundedConnection(Connection[Any]):
    """psycopg's, with a bound on the wait for each answer.

    The server's own time-outs stand still when it does, and TCP's do not begin while its kernel still acknowledges.
    """

    bound: float | None = None
    """Seconds; longer than the server's own time-outs, which leave the connection usable."""

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Closes the connection where the answer did not come, so that nobody gets it in place of another one."""
        try:
            return super().wait(gen, interval, timeout or self.bound)
        except OperationalError as error:
            if error.sqlstate is None:  # not from the server
                self.close()
            raise

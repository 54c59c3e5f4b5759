"""A PostgreSQL connection that gives up on a server that does not answer."""

from math import inf
from typing import Any

from psycopg import Connection, OperationalError
from psycopg.abc import RV, PQGen

from registration.storage.deadline import remaining


class BoundedConnection(Connection[Any]):
    """psycopg's connection, with a bound on the wait for each answer.

    The server's own time-outs stand still when the server does, and TCP's do not begin while its kernel still
    acknowledges.
    """

    bound: float = inf
    """Seconds that an answer may take where the request has no earlier deadline.

    Longer than the server's own time-outs, which leave the connection usable.
    """

    is_pooled = False
    """Whether a pooler may give each transaction to another process of the server."""

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for an answer; closes the connection when it did not come, so that no later statement gets it."""
        try:
            return super().wait(gen, interval, timeout or self._seconds())
        except OperationalError as error:
            if error.sqlstate is None:  # not from the server
                self.close()
            raise

    def _seconds(self) -> float | None:
        limit = min(self.bound, remaining())
        return None if limit == inf else max(0.001, limit)

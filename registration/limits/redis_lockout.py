"""The lock-out, counted in a Redis or Valkey server."""

from math import ceil

from sqlalchemy import Connection

from registration.limits.lockout import Blocked, LockoutTerms, Taken
from registration.limits.redis_server import GIVE_BACK, NAMESPACE, answered, connect, milliseconds

# Each script is one step for the server, so that no count can be left without an expiry.
TAKE = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if count <= tonumber(ARGV[1]) then return {count, 0} end
redis.call('DECR', KEYS[1])
return {0, redis.call('PTTL', KEYS[1])}
"""
BLOCKED = """
local count = tonumber(redis.call('GET', KEYS[1]) or 0)
if count >= tonumber(ARGV[1]) then return redis.call('PTTL', KEYS[1]) end
return 0
"""


class RedisLockout:
    """Counts by the server's clock. There is no fallback: no customer can sign in while the server does not answer."""

    def __init__(self, url: str, terms: LockoutTerms) -> None:
        """Does not connect; raises ValueError for a URL of another kind."""
        self._terms = terms
        self._server = connect(url)
        self._take = self._server.register_script(TAKE)
        self._blocked = self._server.register_script(BLOCKED)
        self._give_back = self._server.register_script(GIVE_BACK)

    @property
    def in_database(self) -> bool:
        return False

    def take(self, key: str, _connection: Connection | None = None) -> Taken | Blocked:
        count, left = answered(
            lambda: self._take(keys=[NAMESPACE + key], args=[self._terms.failures, milliseconds(self._terms.window)])
        )
        return Taken(last=count == self._terms.failures) if count else _blocked_for(left)

    def blocked(self, key: str) -> Blocked | None:
        left = answered(lambda: self._blocked(keys=[NAMESPACE + key], args=[self._terms.failures]))
        return _blocked_for(left) if left > 0 else None

    def give_back(self, key: str, _connection: Connection | None = None) -> None:
        answered(lambda: self._give_back(keys=[NAMESPACE + key], args=[1]))

    def block(self, key: str) -> None:
        answered(lambda: self._server.pexpire(NAMESPACE + key, milliseconds(self._terms.block)))

    def forget(self, prefix: str) -> None:
        def delete_all() -> None:
            for key in self._server.scan_iter(match=f"{NAMESPACE}{prefix}*", count=1000):
                self._server.delete(key)

        answered(delete_all)

    def close(self) -> None:
        self._server.close()


def _blocked_for(milliseconds: int) -> Blocked:
    return Blocked(max(1, ceil(milliseconds / 1000)))

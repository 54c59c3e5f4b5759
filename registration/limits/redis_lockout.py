"""The lock-out, counted in a Redis or Valkey server."""

from collections.abc import Sequence
from math import ceil

from sqlalchemy import Connection

from registration.limits.lockout import Blocked, LockoutTerms, Taken
from registration.limits.redis_server import GIVE_BACK, NAMESPACE, answered, connect, milliseconds

# Each script is one step for the server, so that no count can be left without an expiry.
TAKE = """
local found = {}
for place, key in ipairs(KEYS) do
    local count = redis.call('INCR', key)
    if count == 1 then redis.call('PEXPIRE', key, ARGV[2]) end
    if count <= tonumber(ARGV[1]) then
        found[place] = {count, 0}
    else
        redis.call('DECR', key)
        found[place] = {0, redis.call('PTTL', key)}
    end
end
return found
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

    def take(self, keys: Sequence[str], _connection: Connection | None = None) -> list[Taken | Blocked]:
        arguments = [self._terms.failures, milliseconds(self._terms.window)]
        found = answered(lambda: self._take(keys=[NAMESPACE + key for key in keys], args=arguments))
        return [Taken(last=count == self._terms.failures) if count else _blocked_for(left) for count, left in found]

    def blocked(self, key: str) -> Blocked | None:
        left = answered(lambda: self._blocked(keys=[NAMESPACE + key], args=[self._terms.failures]))
        return _blocked_for(left) if left > 0 else None

    def give_back(self, keys: Sequence[str], _connection: Connection | None = None) -> None:
        if keys:
            answered(lambda: self._give_back(keys=[NAMESPACE + key for key in keys], args=[1] * len(keys)))

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

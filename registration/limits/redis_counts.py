"""Budgets, counted in a Redis or Valkey server: one script for the bills of a batch."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import chain

from registration.limits.attempts import Counted, Limit
from registration.limits.redis_server import GIVE_BACK, NAMESPACE, answered, connect

COUNT = """
local found = {}
for place, key in ipairs(KEYS) do
    local count = redis.call('INCRBY', key, ARGV[2 * place - 1])
    if redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, ARGV[2 * place]) end
    found[2 * place - 1], found[2 * place] = count, redis.call('PTTL', key)
end
return found
"""


class RedisCounts:
    """Counts by the server's clock."""

    def __init__(self, url: str) -> None:
        """Does not connect; raises ValueError for a URL of another kind."""
        self._server = connect(url)
        self._count = self._server.register_script(COUNT)
        self._give_back = self._server.register_script(GIVE_BACK)

    def count(self, numbers: Mapping[str, tuple[int, Limit]], now: datetime) -> Mapping[str, Counted]:
        if not numbers:
            return {}
        keys = [NAMESPACE + key for key in numbers]
        arguments = chain.from_iterable((number, limit.seconds * 1000) for number, limit in numbers.values())
        found = answered(lambda: self._count(keys=keys, args=list(arguments)))
        ends = (now + timedelta(milliseconds=left) for left in found[1::2])
        return dict(zip(numbers, map(Counted, found[::2], ends), strict=True))

    def uncount(self, numbers: Mapping[str, int]) -> None:
        if numbers:
            keys = [NAMESPACE + key for key in numbers]
            answered(lambda: self._give_back(keys=keys, args=list(numbers.values())))

    def close(self) -> None:
        self._server.close()

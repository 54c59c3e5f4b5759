"""A Redis or Valkey server that counts attempts: its scripts are one step each, and it ends every count itself."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from registration.storage.database import Unavailable

Result = TypeVar("Result")
NAMESPACE = "registration:attempts:"
TIMEOUT = 2.0  # seconds
# Deletes the key with the last attempt; the next attempt begins a new window.
GIVE_BACK = """
for place, key in ipairs(KEYS) do
    if tonumber(redis.call('GET', key) or 0) > tonumber(ARGV[place]) then
        redis.call('DECRBY', key, ARGV[place])
    else
        redis.call('DEL', key)
    end
end
"""


def connect(url: str) -> Redis:
    """A client that does not connect yet; raises ValueError for a URL of another kind."""
    return Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=Retry(NoBackoff(), 1))


def answered(ask: Callable[[], Result]) -> Result:
    """What the server answers; raises Unavailable. There is no fallback: what cannot be counted is not done."""
    try:
        return ask()
    except RedisError as error:
        # The text of the error can name the server with its password.
        raise Unavailable(f"the server of GATEWAY_ATTEMPTS_URL: {type(error).__name__}") from None


def milliseconds(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)

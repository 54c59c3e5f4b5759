"""The parts that sessions need, made from settings."""

from datetime import timedelta

import pytest

from graphql_api.settings import GatewaySettings
from registration.environment import SettingsError, read_settings
from registration.limits.lockout import DatabaseLockout
from registration.limits.redis_counts import RedisCounts
from registration.limits.redis_lockout import RedisLockout
from registration.services import SessionTerms
from registration.storage.database import Database
from registration.wiring import open_counts, open_lockout, session_terms


def test_session_terms_are_settings() -> None:
    """The default terms of sessions are those of the contract, and each is a setting."""
    assert session_terms(GatewaySettings()) == SessionTerms()
    changed = GatewaySettings(
        token_audience="shop",
        access_token_seconds=60,
        refresh_token_seconds=120,
        refresh_grace_seconds=0,
        session_seconds=180,
    )
    assert session_terms(changed) == SessionTerms(
        "shop", *(timedelta(seconds=seconds) for seconds in (60, 120, 0, 180))
    )


def test_attempts_are_counted_where_the_setting_says(database: Database) -> None:
    """Attempts are counted in the database, or in the server of the setting, which need not run yet."""
    assert isinstance(open_lockout(GatewaySettings(), database), DatabaseLockout)
    assert open_counts(GatewaySettings()) is None
    for url in ("redis://127.0.0.1:1/0", "rediss://:secret@127.0.0.1:1", "unix:///run/valkey.sock"):
        lockout = open_lockout(GatewaySettings(attempts_url=url), database)
        assert isinstance(lockout, RedisLockout)
        lockout.close()
        counts = open_counts(GatewaySettings(attempts_url=url))
        assert isinstance(counts, RedisCounts)
        counts.close()


@pytest.mark.parametrize("url", ["redis://:pass-word@127.0.0.1:port/0", "redis://:pass-word@[::1/0"])
def test_a_wrong_address_is_explained(database: Database, url: str) -> None:
    """An address that cannot be read is explained in one line, without the password."""
    with pytest.raises(SettingsError, match=r"^GATEWAY_ATTEMPTS_URL is not an address of a Redis or Valkey server$"):
        open_lockout(GatewaySettings(attempts_url=url), database)
    with pytest.raises(SettingsError, match=r"^GATEWAY_ATTEMPTS_URL is not an address of a Redis or Valkey server$"):
        open_counts(GatewaySettings(attempts_url=url))


@pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1:6379", "redis:host"])
def test_another_scheme_is_explained(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """An address of another scheme is explained in a line that names the variable."""
    monkeypatch.setenv("GATEWAY_ATTEMPTS_URL", url)
    with pytest.raises(SettingsError, match=r"^GATEWAY_ATTEMPTS_URL must start with redis://, rediss:// or unix://"):
        read_settings(GatewaySettings)

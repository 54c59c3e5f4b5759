"""The lock-out: the same in a database and in a Valkey server, exact at its edges and for attempts at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from redis import Redis

from harness.ports import free_port
from harness.valkey import Valkey
from registration.keys.secret import Secret
from registration.limits.lockout import (
    Blocked,
    DatabaseLockout,
    Lockout,
    LockoutTerms,
    Taken,
    attempt_key,
    attempt_prefix,
)
from registration.limits.redis_lockout import RedisLockout
from registration.limits.redis_server import NAMESPACE
from registration.storage.database import Database, Unavailable, open_database
from registration.storage.tables import attempt
from tests.clock import Clock
from tests.registration.stored import rows
from tests.waiting import PATIENCE

TERMS = LockoutTerms(failures=3, window=timedelta(seconds=900), block=timedelta(seconds=360))


@pytest.fixture
def in_valkey(valkey: Valkey, client: Redis) -> Iterator[Lockout]:
    lockout = RedisLockout(valkey.url, TERMS)
    yield lockout
    lockout.close()


@pytest.fixture
def in_database(database: Database, clock: Clock) -> Lockout:
    return DatabaseLockout(database, TERMS, clock)


@pytest.fixture(params=["sqlite_url", "postgresql_url", "in_valkey"])
def lockout(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Lockout]:
    """The lock-out: the test runs once on each engine, and once in Valkey."""
    found = request.getfixturevalue(request.param)
    if isinstance(found, str):
        database = open_database(found)
        yield DatabaseLockout(database, TERMS, clock)
        database.close()
    else:
        yield found


def take(lockout: Lockout, key: str) -> Taken | Blocked:
    """Count one attempt."""
    [turn] = lockout.take([key])
    return turn


class TestCounting:
    def test_the_last_attempt_is_announced(self, lockout: Lockout) -> None:
        """The last attempt is marked as such, and further ones are blocked."""
        assert [take(lockout, "a") for _ in range(3)] == [Taken(last=False), Taken(last=False), Taken(last=True)]
        assert take(lockout, "a") == Blocked(900)
        lockout.block("a")
        assert [take(lockout, "a") for _ in range(3)] == [Blocked(360)] * 3

    def test_several_at_once_are_counted_as_one_after_the_other(self, lockout: Lockout) -> None:
        """Attempts that are counted together have the outcomes of successive ones, also those at one key."""
        assert lockout.take(["a", "b", "a"]) == [Taken(last=False)] * 3
        assert lockout.take(["b", "a", "a", "b"]) == [
            Taken(last=False),
            Taken(last=True),
            Blocked(900),
            Taken(last=True),
        ]
        lockout.give_back(["b", "a", "b"])
        assert lockout.take(["a", "a", "b"]) == [Taken(last=True), Blocked(900), Taken(last=False)]

    def test_asking_counts_nothing(self, lockout: Lockout) -> None:
        """Asking for the block counts no attempt."""
        for _ in range(5):
            assert lockout.blocked("a") is None
        for _ in range(3):
            assert lockout.blocked("a") is None
            take(lockout, "a")
        assert lockout.blocked("a") == Blocked(900)
        lockout.block("a")
        assert [lockout.blocked("a") for _ in range(3)] == [Blocked(360)] * 3

    def test_what_is_given_back_was_no_failure(self, lockout: Lockout) -> None:
        """An attempt that is given back is not counted, and does not reset the count."""
        for _ in range(10):
            take(lockout, "a")
            lockout.give_back(["a"])
        take(lockout, "a")
        for _ in range(10):
            take(lockout, "a")
            lockout.give_back(["a"])
        assert take(lockout, "a") == Taken(last=False)
        assert take(lockout, "a") == Taken(last=True)

    def test_an_unknown_key_can_be_given_back_and_blocked(self, lockout: Lockout) -> None:
        """Giving back or blocking a key whose window has ended changes nothing."""
        lockout.give_back(["a"])
        lockout.block("a")
        assert [take(lockout, "a") for _ in range(3)][-1] == Taken(last=True)

    def test_keys_are_counted_apart(self, lockout: Lockout) -> None:
        """Attempts of one key do not count for another."""
        for _ in range(4):
            take(lockout, "a")
        assert take(lockout, "b") == Taken(last=False)

    def test_attempts_at_the_same_moment_are_all_counted(self, lockout: Lockout) -> None:
        """Of sixteen attempts at once exactly as many are allowed as may fail."""
        barrier = Barrier(16, timeout=PATIENCE)

        def take_one(_: int) -> Taken | Blocked:
            barrier.wait()
            return take(lockout, "a")

        with ThreadPoolExecutor(16) as threads:
            outcomes = list(threads.map(take_one, range(16)))
        assert outcomes.count(Taken(last=False)) == 2
        assert outcomes.count(Taken(last=True)) == 1
        assert outcomes.count(Blocked(900)) == 13

    def test_an_address_is_forgotten_for_every_client(self, lockout: Lockout) -> None:
        """Forgetting an address deletes its counts of all clients, and those of no other address."""
        secret = Secret(b"s" * 32)
        keys = [attempt_key(secret, address, client) for address in ("a@b.test", "c@d.test") for client in ("1", "2")]
        assert len({key[:32] for key in keys}) == 2
        for key in keys:
            assert [take(lockout, key) for _ in range(3)][-1] == Taken(last=True)
        lockout.forget(attempt_prefix(secret, "a@b.test"))
        assert [isinstance(take(lockout, key), Taken) for key in keys] == [True, True, False, False]

    def test_keys_fit_their_column(self) -> None:
        """A key has 64 characters and depends on the secret."""
        key = attempt_key(Secret(b"s" * 32), "ada@example.org", "192.0.2.1")
        assert len(key) == 64
        assert key != attempt_key(Secret(b"t" * 32), "ada@example.org", "192.0.2.1")


class TestInDatabase:
    def test_window_begins_with_the_first_failure(self, in_database: Lockout, clock: Clock) -> None:
        """The window begins with the first failure, and further ones do not lengthen it."""
        take(in_database, "a")
        clock.move(timedelta(seconds=899.999))
        assert take(in_database, "a") == Taken(last=False)
        clock.move(timedelta(seconds=0.001))
        assert [take(in_database, "a") for _ in range(3)] == [Taken(last=False), Taken(last=False), Taken(last=True)]

    def test_block_begins_with_the_last_failure(self, in_database: Lockout, clock: Clock) -> None:
        """Attempts during the block do not lengthen it, and counting begins anew after it."""
        for _ in range(3):
            take(in_database, "a")
        in_database.block("a")
        clock.move(timedelta(seconds=359.5))
        assert take(in_database, "a") == in_database.blocked("a") == Blocked(1)
        clock.move(timedelta(seconds=0.5))
        assert in_database.blocked("a") is None
        assert take(in_database, "a") == Taken(last=False)

    def test_nothing_stays_of_success(self, in_database: Lockout, database: Database) -> None:
        """A successful sign-in leaves no row."""
        take(in_database, "a")
        in_database.give_back(["a"])
        assert rows(database, attempt) == []

    def test_closing_leaves_the_database_open(self, in_database: Lockout) -> None:
        """Closing the lock-out leaves the database open."""
        in_database.close()
        assert take(in_database, "a") == Taken(last=False)


class TestInValkey:
    def left(self, client: Redis) -> float:
        """Milliseconds until the server deletes the key."""
        left = client.pttl(f"{NAMESPACE}a")
        assert isinstance(left, int)
        return left

    def test_the_server_forgets_by_itself(self, in_valkey: Lockout, client: Redis) -> None:
        """The server deletes the count itself: the window begins with the first failure, the block with the last."""
        take(in_valkey, "a")
        assert 890_000 < self.left(client) <= 900_000
        client.pexpire(f"{NAMESPACE}a", 500_000)
        take(in_valkey, "a")
        assert take(in_valkey, "a") == Taken(last=True)
        assert self.left(client) <= 500_000
        assert take(in_valkey, "a") == Blocked(500)
        in_valkey.block("a")
        assert self.left(client) <= 360_000
        client.pexpire(f"{NAMESPACE}a", 1)
        while client.exists(f"{NAMESPACE}a"):
            pass
        assert take(in_valkey, "a") == Taken(last=False)

    def test_nothing_stays_of_success(self, in_valkey: Lockout, client: Redis) -> None:
        """A successful sign-in leaves no key in the server."""
        take(in_valkey, "a")
        in_valkey.give_back(["a"])
        assert client.keys() == []

    def test_two_processes_count_together(self, in_valkey: Lockout, valkey: Valkey) -> None:
        """Processes that share the server count together."""
        other = RedisLockout(valkey.url, TERMS)
        assert [take(each, "a") for each in (in_valkey, other, in_valkey, other)] == [
            Taken(last=False),
            Taken(last=False),
            Taken(last=True),
            Blocked(900),
        ]
        other.close()

    def test_survives_a_restart_of_the_server(self, tmp_path: Path) -> None:
        """After a restart of the server connections and scripts are made anew."""
        with Valkey(tmp_path) as server:
            lockout = RedisLockout(server.url, TERMS)
            take(lockout, "a")
            server.stop()
            with pytest.raises(Unavailable):
                take(lockout, "a")
            server.start()
            assert isinstance(take(lockout, "b"), Taken)
            lockout.close()

    def test_unreachable_is_an_outage(self) -> None:
        """A server that does not answer raises Unavailable, in whose text is the setting but no address or password."""
        lockout = RedisLockout(f"redis://:pass-word@127.0.0.1:{free_port()}/0", TERMS)
        for ask in (lockout.take, lockout.give_back, lockout.block, lockout.forget):
            with pytest.raises(Unavailable, match=r"^the server of GATEWAY_ATTEMPTS_URL: ConnectionError$") as outage:
                ask("a")
            assert outage.value.__cause__ is None
        lockout.close()

    def test_refusal_of_the_server_is_an_outage(self, client: Redis, valkey: Valkey) -> None:
        """A wrong password, or a key of another kind, raises Unavailable."""
        client.lpush(f"{NAMESPACE}a", "x")
        lockout = RedisLockout(valkey.url, TERMS)
        with_wrong_password = RedisLockout(valkey.url.replace("//", "//user:pass-word@"), TERMS)
        for each in (lockout, with_wrong_password):
            with pytest.raises(Unavailable, match=r"^the server of GATEWAY_ATTEMPTS_URL: \w+$"):
                take(each, "a")
            each.close()

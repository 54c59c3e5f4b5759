"""Budgets in a Valkey server: they bound the use cases as those in a database do, and leave no count there."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy.exc import IntegrityError

from harness.ports import free_port
from harness.valkey import Valkey
from registration.account.erasure import anonymize
from registration.account.profile import update_profile
from registration.keys.secret import Secret
from registration.limits.attempts import Limit
from registration.limits.budgets import Bill, Budget, Budgets, Cost, Payer
from registration.limits.lockout import LockoutTerms
from registration.limits.redis_counts import RedisCounts
from registration.limits.redis_lockout import RedisLockout
from registration.limits.redis_server import NAMESPACE
from registration.outcomes import Accepted, BadCredentials, Registered, SignUpOutcome, Tokens, TooManyAttempts, Updated
from registration.passwords.change import change_password
from registration.passwords.reset import request_reset
from registration.services import Services
from registration.signing_up.commit import commit
from registration.signing_up.confirmation import resend_confirmation
from registration.signing_up.new_account import PreparedSignUp
from registration.signing_up.sign_up import prepare
from registration.storage.database import Unavailable, open_database
from registration.storage.tables import attempt, customer, mail
from tests.clock import Clock
from tests.registration.callers import caller_of
from tests.registration.forms import PASSWORD, request
from tests.registration.members import CLIENT, confirmed, member
from tests.registration.signing import sign_in, sign_up
from tests.registration.stored import rows

HOUR = 3600
SECRET = Secret(b"s" * 32)
MAIL = Bill(frozenset({Cost.MAIL}), CLIENT, "ada@example.org")

WithBudgets = Callable[..., Services]


@pytest.fixture
def counts(valkey: Valkey, client: Redis) -> Iterator[RedisCounts]:
    assert client.keys() == []
    counts = RedisCounts(valkey.url)
    yield counts
    counts.close()


@pytest.fixture
def limited(services: Services, counts: RedisCounts) -> WithBudgets:
    """The services with one budget that the server counts."""

    def limited(cost: Cost, payer: Payer, count: int) -> Services:
        return replace(services, budgets=Budgets([Budget(cost, payer, Limit(count, HOUR))], counts))

    return limited


class TestServer:
    def test_counts_many_keys_in_one_step(self, counts: RedisCounts, client: Redis, clock: Clock) -> None:
        """Each key has its own number and window; the window begins with the first attempt and is not moved."""
        counts.count({"a": (2, Limit(9, 100))}, clock())
        client.pexpire(f"{NAMESPACE}a", 50_000)
        said = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        found = counts.count({"a": (3, Limit(9, 100)), "b": (1, Limit(9, 1000))}, clock())
        assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == said + 1
        assert [found[key].count for key in "ab"] == [5, 1]
        left = [(found[key].window_ends_at - clock()).total_seconds() for key in "ab"]
        assert 0 < left[0] <= 50
        assert 100 < left[1] <= 1000

    def test_takes_back(self, counts: RedisCounts, client: Redis, clock: Clock) -> None:
        """What is taken back is not counted, and a key without attempts is deleted; one that is gone stays so."""
        counts.count({"a": (3, Limit(9, 100)), "b": (2, Limit(9, 100))}, clock())
        counts.uncount({"a": 1, "b": 2, "c": 1})
        assert client.keys() == [f"{NAMESPACE}a"]
        assert client.get(f"{NAMESPACE}a") == "2"

    def test_nothing_asks_nothing(self, clock: Clock) -> None:
        """Without a key the server is not asked, so an operation without a budget does not need it."""
        nowhere = RedisCounts(f"redis://127.0.0.1:{free_port()}/0")
        assert nowhere.count({}, clock()) == {}
        nowhere.uncount({})

    def test_a_window_ends_by_itself(self, counts: RedisCounts, client: Redis, clock: Clock) -> None:
        """No count is left without an expiry, so none needs housekeeping."""
        counts.count({"a": (1, Limit(9, 100))}, clock())
        assert 0 < int(client.pttl(f"{NAMESPACE}a")) <= 100_000

    def test_attempts_at_once_have_different_numbers(self, counts: RedisCounts, clock: Clock) -> None:
        """Of many attempts at the same moment each is counted once."""
        with ThreadPoolExecutor(8) as threads:
            found = threads.map(lambda _: counts.count({"a": (1, Limit(9, 100))}, clock())["a"].count, range(40))
        assert sorted(found) == list(range(1, 41))


class TestUseCases:
    def test_a_batch_is_counted_once(self, limited: WithBudgets, client: Redis) -> None:
        """A batch of sign-ups asks the server once; those beyond the budget are refused and leave no row."""
        services = limited(Cost.MAIL, Payer.CLIENT, 2)
        prepared = [prepare(services, request(email=f"ada{number}@example.org")) for number in range(4)]
        before = client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]
        outcomes = commit(services, [each for each in prepared if isinstance(each, PreparedSignUp)])
        after = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        # The first call of a process finds that the server does not know the script yet.
        assert after - before <= 2
        assert [type(outcome) for outcome in outcomes] == [Registered, Registered, TooManyAttempts, TooManyAttempts]
        assert len(rows(services.database, customer)) == 2
        assert rows(services.database, attempt) == []
        assert client.mget(client.keys()) == ["4"]

    def test_a_batch_that_fails_is_not_counted(self, limited: WithBudgets, client: Redis) -> None:
        """Sign-ups that are written again one by one, after their batch failed, are counted once."""
        services = limited(Cost.MAIL, Payer.CLIENT, 9)
        prepared = [prepare(services, request(email=f"ada{number}@example.org")) for number in range(2)]
        group = [each for each in prepared if isinstance(each, PreparedSignUp)]
        # Two customers with one id cannot be written.
        twins = [group[0], replace(group[1], customer=replace(group[1].customer, id=group[0].customer.id))]
        with pytest.raises(IntegrityError):
            commit(services, twins)
        assert client.keys() == []
        for each in group:
            commit(services, [each])
        assert client.mget(client.keys()) == ["2"]

    @pytest.mark.parametrize("use", [request_reset, resend_confirmation])
    def test_mails_that_strangers_ask_for(self, limited: WithBudgets, use: Callable[..., object]) -> None:
        """Known and unknown addresses count alike."""
        services = limited(Cost.MAIL, Payer.CLIENT, 2)
        addresses = ["ada@example.org", "bob@example.org", "eve@example.org"]
        outcomes = [use(services, address, CLIENT) for address in addresses]
        assert outcomes == [Accepted(), Accepted(), TooManyAttempts(HOUR)]

    def test_changes_of_address(self, services: Services, limited: WithBudgets) -> None:
        """A new address is a mail; another spelling of the present one is none."""
        ada = caller_of(services, member(services, email="ada@example.org").tokens)
        counted = limited(Cost.MAIL, Payer.CLIENT, 1)
        given = ["ADA@example.org", "new@example.org", "newer@example.org"]
        outcomes = [update_profile(counted, ada, {"email": email}, CLIENT) for email in given]
        assert [type(outcome) for outcome in outcomes] == [Updated, Updated, TooManyAttempts]

    def test_guesses(self, services: Services, limited: WithBudgets, client: Redis) -> None:
        """Wrong passwords of one client count, for all accounts; right ones are taken back, and leave no count."""
        ada = caller_of(services, member(services, email="ada@example.org").tokens)
        counted = limited(Cost.GUESS, Payer.CLIENT, 2)
        assert all(isinstance(sign_in(counted, "ada@example.org", PASSWORD, CLIENT), Tokens) for _ in range(4))
        new = {"newPassword": PASSWORD, "confirmPassword": PASSWORD}
        change_password(counted, ada, {"password": PASSWORD, **new}, CLIENT)
        assert client.keys() == []
        outcomes = [sign_in(counted, f"bob{number}@example.org", "guess", CLIENT) for number in range(3)]
        assert outcomes == [BadCredentials(), BadCredentials(), TooManyAttempts(HOUR)]

    def test_a_used_up_budget_is_remembered(self, limited: WithBudgets, client: Redis) -> None:
        """A client that was refused is refused again before its hash, without asking the server."""
        services = limited(Cost.SIGN_UP, Payer.CLIENT, 1)
        outcomes: list[SignUpOutcome] = [sign_up(services, request(email=f"a{n}@example.org")) for n in range(2)]
        assert [type(outcome) for outcome in outcomes] == [Registered, TooManyAttempts]
        client.flushall()
        assert isinstance(sign_up(services, request(email="b@example.org")), TooManyAttempts)
        assert client.keys() == []

    def test_erasure_forgets_the_mailbox(self, limited: WithBudgets, valkey: Valkey, client: Redis) -> None:
        """The count of the mailbox of a customer's address is deleted, by whichever secret it was made."""
        lockout = RedisLockout(valkey.url, LockoutTerms())
        services = replace(limited(Cost.MAIL, Payer.MAILBOX, 9), lockout=lockout)
        rotated = replace(services, secret=Secret(b"n" * 32, services.secret))
        ada = caller_of(services, member(services, email="ada+shop@example.org").tokens)
        request_reset(rotated, "ada@example.org", CLIENT)
        assert len(client.keys()) == 2
        anonymize(rotated, ada, None, CLIENT)
        assert client.keys() == []
        lockout.close()


class TestOutage:
    """Without the server nothing that has a budget is done, and nothing else is touched."""

    @pytest.fixture
    def cut_off(self, services: Services) -> Iterator[Services]:
        counts = RedisCounts(f"redis://:pass-word@127.0.0.1:{free_port()}/0")
        budgets = [Budget(cost, Payer.CLIENT, Limit(9, HOUR)) for cost in Cost]
        yield replace(services, budgets=Budgets(budgets, counts))
        counts.close()

    def test_no_request_slips_through(self, services: Services, cut_off: Services) -> None:
        """Each use case with a budget raises Unavailable, whose text has neither address nor password."""
        confirmed(services, email="ada@example.org")
        before = [rows(services.database, table) for table in (customer, mail)]
        for use in (
            lambda: sign_up(cut_off, request(email="bob@example.org")),
            lambda: request_reset(cut_off, "ada@example.org", CLIENT),
            lambda: resend_confirmation(cut_off, "ada@example.org", CLIENT),
            lambda: sign_in(cut_off, "ada@example.org", PASSWORD, CLIENT),
        ):
            with pytest.raises(Unavailable, match=r"^the server of GATEWAY_ATTEMPTS_URL: ConnectionError$"):
                use()
        assert [rows(services.database, table) for table in (customer, mail)] == before

    def test_an_operation_without_a_cost_goes_on(self, services: Services, cut_off: Services) -> None:
        """A change of a name needs no server."""
        ada = caller_of(services, member(services, email="ada@example.org").tokens)
        assert isinstance(update_profile(cut_off, ada, {"firstName": "Augusta"}, CLIENT), Updated)


def test_two_processes_count_together(valkey: Valkey, counts: RedisCounts, clock: Clock, services: Services) -> None:
    """A budget holds for all nodes that share the server."""
    other = RedisCounts(valkey.url)
    one = [Budget(Cost.MAIL, Payer.CLIENT, Limit(1, HOUR))]
    nodes = [Budgets(one, counts), Budgets(one, other)]
    refusals = [refusal for node in nodes for refusal in node.charge_alone(services.database, SECRET, [MAIL], clock())]
    assert refusals == [None, TooManyAttempts(HOUR)]
    for node in nodes:
        node.close()


def test_an_outage_of_the_database_counts_no_sign_in(
    services: Services, counts: RedisCounts, valkey: Valkey, client: Redis, tmp_path: Path
) -> None:
    """Sign-ins that cannot look for their customers count nothing: a client that tries again locks none out."""
    lockout, away = RedisLockout(valkey.url, LockoutTerms()), open_database(f"sqlite:///{tmp_path}/without-tables.db")
    budgets = Budgets([Budget(Cost.GUESS, Payer.CLIENT, Limit(9, HOUR))], counts)
    with pytest.raises(Unavailable, match=r"^database error"):
        sign_in(replace(services, database=away, lockout=lockout, budgets=budgets), "ada@example.org", PASSWORD, CLIENT)
    assert client.keys() == []
    away.close()
    lockout.close()

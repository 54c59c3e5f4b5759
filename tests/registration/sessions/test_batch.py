"""The batch of sign-ins: what shares a transaction, and what one sign-in may not do to the others."""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from contextvars import Context
from dataclasses import replace
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Connection, event
from structlog.testing import capture_logs

from registration.hashing.batch import MAX_BATCH
from registration.hashing.passwords import Passwords, Verdict
from registration.limits.attempts import Limit
from registration.limits.budgets import Budget, Budgets, Cost, Payer
from registration.limits.lockout import DatabaseLockout, LockoutTerms, attempt_key
from registration.notes import CORRELATION_ID, begin_notes
from registration.outcomes import BadCredentials, EmailNotConfirmed, Tokens, TooManyAttempts
from registration.services import Services
from registration.sessions.attempt import Attempt, Begun, begin
from registration.sessions.batch import SignInBatcher
from registration.sessions.commit import PreparedSignIn, commit
from registration.sessions.devices import UNKNOWN, Device
from registration.sessions.sign_in import SignInRequest, prepare, sign_in
from registration.storage import deadline
from registration.storage.database import Locked, Unavailable, open_database
from registration.storage.references import References
from registration.storage.tables import attempt, audit, mail, refresh_token, session
from tests.clock import Clock
from tests.registration.forms import PASSWORD, request
from tests.registration.members import CLIENT, confirmed
from tests.registration.signing import sign_up
from tests.registration.stored import rows
from tests.waiting import PATIENCE

FIREFOX = Device("Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0")
CHROME = Device("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0 Safari/537.36")


def address(number: int) -> str:
    return f"ada{number}@example.org"


def attempt_of(services: Services, email: str, client: str = CLIENT, device: Device = UNKNOWN) -> Attempt:
    return Attempt(email, attempt_key(services.secret, email, client), client, device)


def prepared(
    services: Services, emails: Sequence[str], password: str = PASSWORD, device: Device = UNKNOWN
) -> list[PreparedSignIn]:
    """Sign-ins whose attempts were counted together, and whose passwords were compared."""
    attempts = [attempt_of(services, email, device=device) for email in emails]
    return [
        prepare(services, SignInRequest(each.email_key or "", password, CLIENT), each, begun)
        for each, begun in zip(attempts, begin(services, attempts), strict=True)
        if isinstance(begun, Begun)
    ]


def with_guesses(services: Services, count: int) -> Services:
    """With a budget of guesses, and one of hashes, for each client."""
    budgets = Budgets(Budget(cost, Payer.CLIENT, Limit(count, 900)) for cost in (Cost.GUESS, Cost.HASH))
    return replace(services, budgets=budgets)


@contextmanager
def sent(services: Services) -> Iterator[list[tuple[str, Any]]]:
    """The statements that the block sends, each with its parameters."""
    found: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if not re.match("BEGIN|SET LOCAL", statement):
            found.append((statement, parameters))

    event.listen(services.database.engine, "before_cursor_execute", note)
    yield found
    event.remove(services.database.engine, "before_cursor_execute", note)


class TestBegin:
    def test_statements_do_not_grow_with_the_group(self, services: Services) -> None:
        """Attempts of any number are counted, and their customers found, by four statements."""
        for number in range(8):
            confirmed(services, email=address(number))
        limited = with_guesses(services, 99)
        with sent(services) as statements:
            begun = begin(limited, [attempt_of(services, address(number)) for number in range(8)])
        assert [each.customer_row.email for each in begun if isinstance(each, Begun) and each.customer_row] == [
            address(number) for number in range(8)
        ]
        assert len(statements) == 4

    def test_unknown_addresses_cost_the_same(self, services: Services) -> None:
        """As many values are looked up for addresses that no customer has."""
        for number in range(4):
            confirmed(services, email=address(number))
        with sent(services) as known:
            begin(services, [attempt_of(services, address(number)) for number in range(4)])
        with sent(services) as unknown:
            begin(services, [attempt_of(services, address(number)) for number in range(4, 8)])
        assert [(statement, len(given)) for statement, given in known] == [
            (statement, len(given)) for statement, given in unknown
        ]

    def test_attempts_at_one_address_are_counted_one_by_one(self, services: Services, clock: Clock) -> None:
        """In a group, too, exactly as many attempts are allowed as may fail, and one of them is the last."""
        terms = LockoutTerms(failures=3, window=timedelta(seconds=900), block=timedelta(seconds=360))
        limited = replace(services, lockout=DatabaseLockout(services.database, terms, clock))
        mixed = [attempt_of(services, each) for each in ("a@x.org", "b@x.org", "a@x.org", "a@x.org", "a@x.org")]
        outcomes = begin(limited, mixed)
        assert [each.is_last if isinstance(each, Begun) else each for each in outcomes] == [
            False,
            False,
            False,
            True,
            TooManyAttempts(900),
        ]
        assert sorted(row["count"] for row in rows(services.database, attempt)) == [1, 3]

    def test_a_used_up_budget_refuses_only_its_client(self, services: Services) -> None:
        """The attempts of other clients go on; a refused one is no attempt at the address."""
        limited = with_guesses(services, 1)
        tried = [
            attempt_of(services, address(number), client)
            for number, client in enumerate(("192.0.2.1", "192.0.2.1", "192.0.2.2"))
        ]
        outcomes = begin(limited, tried)
        assert [type(each) for each in outcomes] == [Begun, TooManyAttempts, Begun]
        counted = {row["key"] for row in rows(services.database, attempt)}
        assert [each.lockout_key in counted for each in tried] == [True, False, True]

    def test_counts_are_locked_in_one_order(self, services: Services) -> None:
        """Whatever the order in a group, its keys are counted in theirs: two nodes cannot wait in a circle."""
        limited = with_guesses(services, 99)
        attempts = [attempt_of(services, address(number), f"192.0.2.{number}") for number in range(8)]
        with sent(services) as statements:
            begin(limited, attempts)
            begin(limited, attempts[::-1])
        counted = [re.findall("[0-9a-f]{64}", str(given)) for text, given in statements if "INTO attempt" in text]
        assert [len(keys) for keys in counted] == [8, 16, 8, 16]
        assert counted[:2] == counted[2:]
        assert all(keys == sorted(keys) for keys in counted)


class TestCommit:
    def test_share_all_but_their_locks(self, services: Services) -> None:
        """A transaction of eight has seven statements more than one of one: each locks its customer."""
        for number in range(8):
            confirmed(services, email=address(number))
        limited = with_guesses(services, 99)
        lengths = []
        for emails in ([address(0)], [address(number) for number in range(8)]):
            sign_ins = prepared(limited, emails)
            with sent(services) as statements:
                assert all(isinstance(each, Tokens) for each in commit(limited, sign_ins))
            lengths.append(len(statements))
        assert lengths[1] == lengths[0] + 7
        assert len(rows(services.database, session)) == len(rows(services.database, refresh_token)) == 9
        assert {row["count"] for row in rows(services.database, attempt)} == {9}  # the hashes alone

    def test_customers_are_locked_in_one_order(self, services: Services) -> None:
        """Customers are locked in the order of their ids: two nodes with the same customers cannot deadlock."""
        ids = [confirmed(services, email=address(number)).id for number in range(6)]
        found = []
        for emails in ([address(number) for number in range(6)], [address(number) for number in reversed(range(6))]):
            sign_ins = prepared(services, emails)
            sign_ins[1] = replace(sign_ins[1], opening=None)
            with sent(services) as statements:
                commit(services, sign_ins)
            locks = [given for text, given in statements if re.match(r"SELECT customer\.(id|anonymized_at)", text)]
            found.append([next(iter(given.values() if isinstance(given, dict) else given)) for given in locks])
        assert [[UUID(str(each)) for each in order] for order in found] == [sorted(ids)] * 2

    def test_counts_are_given_back_in_the_order_in_which_they_are_counted(self, services: Services) -> None:
        """First attempts, then guesses, each by their keys: two nodes cannot wait for each other in a circle."""
        for number in range(6):
            confirmed(services, email=address(number))
        limited = with_guesses(services, 99)
        sign_ins = prepared(limited, [address(number) for number in range(6)])
        found = []
        for group in (sign_ins, sign_ins[::-1]):
            with sent(services) as statements:
                commit(limited, group)
            found.append(
                [re.findall("[0-9a-f]{64}", str(given)) for text, given in statements if text.startswith("UPDATE")]
            )
        assert [len(keys) for keys in found[0]] == [6, 1]
        assert found[0][0] == sorted(each.attempt.lockout_key for each in sign_ins)
        assert found[0] == found[1]

    def test_each_has_its_own_outcome(self, services: Services) -> None:
        """In one transaction a sign-in succeeds, another fails, and a third is told that it is not confirmed."""
        ada = confirmed(services, email=address(0))
        sign_up(services, request(email=address(1)))
        sign_ins = [
            *prepared(services, [address(0)], "wrong password"),
            *prepared(services, [address(0), address(1)]),
            *prepared(services, ["unknown@example.org"]),
        ]
        outcomes = commit(services, sign_ins)
        assert isinstance(outcomes[1], Tokens)
        assert outcomes == [BadCredentials(), outcomes[1], EmailNotConfirmed(), BadCredentials()]
        recorded = {(row["kind"], row["customer_id"]) for row in rows(services.database, audit)}
        assert recorded >= {("sign-in failure", ada.id), ("sign-in", ada.id), ("sign-in failure", None)}
        assert sorted(row["count"] for row in rows(services.database, attempt)) == [1, 1]

    def test_the_strongest_lock_of_a_customer_is_first(self, services: Services) -> None:
        """A failure's lock that the next sign-in has to widen could deadlock with the same on another node."""
        confirmed(services, email=address(0))
        failure, success = prepared(services, [address(0)], "wrong password") + prepared(services, [address(0)])
        with sent(services) as statements:
            assert commit(services, [failure, success])[0] == BadCredentials()
        locks = [text for text, _ in statements if re.match(r"SELECT customer\.(id|anonymized_at)", text)]
        assert ["anonymized_at" in text.partition("FROM")[0] for text in locks] == [True, False]

    def test_a_device_is_new_once(self, services: Services) -> None:
        """Two sign-ins of a group from one new device are told of by one mail, those from two devices by two."""
        confirmed(services, email=address(0))
        commit(services, prepared(services, [address(0)], device=FIREFOX))
        for devices, mails in (((FIREFOX, CHROME, CHROME), 1), ((Device("iPhone"), Device("iPad")), 3)):
            commit(services, [each for device in devices for each in prepared(services, [address(0)], device=device)])
            told = [row for row in rows(services.database, mail) if row["kind"] == "new_device"]
            assert len(told) == mails


class Elsewhere(DatabaseLockout):
    """Counts as if in another server, which does not answer while `is_away`."""

    is_away = False

    @property
    def in_database(self) -> bool:
        return False

    def give_back(self, keys: Sequence[str], connection: Connection | None = None) -> None:
        if self.is_away:
            raise Unavailable("the other server")
        super().give_back(keys, connection)


class Stuck(DatabaseLockout):
    """Cannot begin a block: another transaction has locked the count."""

    def block(self, key: str) -> None:
        raise Locked("another transaction holds a lock")


class TestAfterTheCommit:
    """What is counted after a commit fails no sign-in that is stored, and writes none again."""

    def test_a_block_that_cannot_begin(self, services: Services, clock: Clock) -> None:
        """The last failure and a success of one group are told, and recorded once, although the block cannot begin."""
        confirmed(services, email=address(0))
        stuck = replace(services, lockout=Stuck(services.database, LockoutTerms(failures=1), clock))
        sign_ins = [*prepared(stuck, [address(1)]), *prepared(stuck, [address(0)])]
        with capture_logs() as logs:
            outcomes = commit(stuck, sign_ins)
        assert [type(outcome) for outcome in outcomes] == [BadCredentials, Tokens]
        assert [line["event"] for line in logs] == ["counts not settled"]
        kinds = [row["kind"] for row in rows(services.database, audit)]
        assert [kinds.count(kind) for kind in ("sign-in failure", "lock-out", "sign-in")] == [1, 1, 1]

    def test_counts_that_cannot_be_given_back(self, services: Services, clock: Clock) -> None:
        """When the server that counts has gone, a right password gets its tokens, and the attempt stays counted."""
        confirmed(services, email=address(0))
        elsewhere = Elsewhere(services.database, LockoutTerms(), clock)
        counting = replace(services, lockout=elsewhere)
        sign_ins = prepared(counting, [address(0)])
        elsewhere.is_away = True
        assert isinstance(commit(counting, sign_ins)[0], Tokens)
        assert [row["count"] for row in rows(services.database, attempt)] == [1]


class LatePasswords(Passwords):
    """Compares passwords for longer than a request may take."""

    def verify(self, encoded: str | None, password: str, *older_forms: str) -> Verdict:
        verdict = super().verify(encoded, password, *older_forms)
        deadline.begin(-1)
        return verdict


class TestUntold:
    """A client that was told nothing of its password, because of an outage, has made no attempt."""

    @pytest.mark.parametrize("kind", [DatabaseLockout, Elsewhere])
    @pytest.mark.parametrize("password", [PASSWORD, "wrong password"])
    def test_an_outage_locks_no_customer_out(
        self, services: Services, clock: Clock, kind: type[DatabaseLockout], password: str
    ) -> None:
        """More outages than attempts may fail leave no count, of the address and of the client."""
        confirmed(services, email=address(0))
        lockout = kind(services.database, LockoutTerms(failures=2), clock)
        guesses = Budgets([Budget(Cost.GUESS, Payer.CLIENT, Limit(2, 900))])
        with closing(LatePasswords(memory_kib=8, time_cost=1, parallelism=1, slots=1)) as passwords:
            late = replace(services, lockout=lockout, passwords=passwords, budgets=guesses)
            for _ in range(3):
                with closing(SignInBatcher(late)) as batcher, pytest.raises(Unavailable, match="deadline"):
                    sign_in(late, batcher, SignInRequest(address(0), password, CLIENT)).result(PATIENCE)
                assert rows(services.database, attempt) == []

    def test_a_bug_takes_nothing_back(self, services: Services) -> None:
        """An attempt that ends in a bug stays counted: wrong passwords alone might meet it."""

        class Broken(Passwords):
            def verify(self, encoded: str | None, password: str, *older_forms: str) -> Verdict:
                raise RuntimeError("the hash is on fire")

        with closing(Broken(memory_kib=8, time_cost=1, parallelism=1, slots=1)) as passwords:
            broken = replace(services, passwords=passwords)
            with closing(SignInBatcher(broken)) as batcher, pytest.raises(RuntimeError):
                sign_in(broken, batcher, SignInRequest(address(0), PASSWORD, CLIENT)).result(PATIENCE)
        assert [row["count"] for row in rows(services.database, attempt)] == [1]


class TestPipeline:
    @pytest.fixture
    def sign_ins(self, services: Services) -> Iterator[SignInBatcher]:
        with closing(SignInBatcher(services)) as batcher:
            yield batcher

    def test_many_share_transactions(self, services: Services, sign_ins: SignInBatcher) -> None:
        """Twenty-four sign-ins at once all succeed, in fewer than twenty-four transactions."""
        for number in range(8):
            confirmed(services, email=address(number))
        commits: list[object] = []
        event.listen(services.database.engine, "commit", commits.append)
        requests = [SignInRequest(address(number % 8), PASSWORD, CLIENT) for number in range(24)]
        outcomes = [sign_in(services, sign_ins, each) for each in requests]
        assert all(isinstance(outcome.result(PATIENCE), Tokens) for outcome in outcomes)
        assert len(rows(services.database, session)) == 24
        assert len(commits) < 24

    def test_cannot_be_cancelled_and_is_waited_for(self, services: Services) -> None:
        """Closing waits for the sign-ins in flight, none of which can be cancelled."""
        confirmed(services, email=address(0))
        batcher = SignInBatcher(services)
        outcomes = [sign_in(services, batcher, SignInRequest(address(0), PASSWORD, CLIENT)) for _ in range(8)]
        assert not any(outcome.cancel() for outcome in outcomes)
        batcher.close()
        assert all(outcome.done() for outcome in outcomes)
        assert len(rows(services.database, session)) == 8

    def test_a_fault_is_of_one_sign_in(self, services: Services) -> None:
        """What is raised for one sign-in reaches its caller; the others of its group are written."""
        for number in range(4):
            confirmed(services, email=address(number))

        class Broken(Passwords):
            def verify(self, encoded: str | None, password: str, *older_forms: str) -> Verdict:
                if password == "faulty":
                    raise RuntimeError("the hash is on fire")
                return super().verify(encoded, password, *older_forms)

        with closing(Broken(memory_kib=8, time_cost=1, parallelism=1, slots=1)) as passwords:
            broken = replace(services, passwords=passwords)
            with closing(SignInBatcher(broken)) as batcher:
                given = [PASSWORD, "faulty", PASSWORD, PASSWORD]
                outcomes = [
                    sign_in(broken, batcher, SignInRequest(address(number), password, CLIENT))
                    for number, password in enumerate(given)
                ]
                with pytest.raises(RuntimeError, match="on fire"):
                    outcomes[1].result(PATIENCE)
                assert all(isinstance(outcomes[number].result(PATIENCE), Tokens) for number in (0, 2, 3))

    def test_rows_name_the_request_that_caused_them(self, services: Services, sign_ins: SignInBatcher) -> None:
        """Audit rows and mails of a group have the correlation id of their own request."""
        confirmed(services, email=address(0))

        def ask(number: int, device: Device) -> None:
            begin_notes()[CORRELATION_ID] = f"request {number}"
            asked = SignInRequest(address(0), PASSWORD if number < 2 else "wrong", CLIENT, device)
            sign_in(services, sign_ins, asked).result(PATIENCE)

        for number, device in enumerate((FIREFOX, CHROME, CHROME)):
            Context().run(ask, number, device)
        recorded = [row for row in rows(services.database, audit) if row["kind"].startswith("sign-in")]
        assert {(row["kind"], row["correlation_id"]) for row in recorded} == {
            ("sign-in", "request 0"),
            ("sign-in", "request 1"),
            ("sign-in failure", "request 2"),
        }
        told = [row for row in rows(services.database, mail) if row["kind"] == "new_device"]
        assert [row["correlation_id"] for row in told] == ["request 1"]


@pytest.fixture
def on_postgresql(postgresql_url: str, services: Services) -> Iterator[Services]:
    """Services on PostgreSQL only: SQLite has one lock for all rows, so no transaction can hold a single customer."""
    database = open_database(postgresql_url, wait=2 * PATIENCE)
    lockout = DatabaseLockout(database, LockoutTerms(), services.clock)
    yield replace(services, database=database, references=References(database, "DE"), lockout=lockout)
    database.close()


class TestLocks:
    def test_a_locked_customer_delays_only_its_own_sign_ins(self, on_postgresql: Services, postgresql_url: str) -> None:
        """While another node changes a customer, the sign-ins of the others are answered."""
        change = "UPDATE customer SET first_name = 'Eve' WHERE email = %s"
        assert_delays_the_first_only(on_postgresql, postgresql_url, change, address(0))

    def test_a_locked_count_delays_only_its_own_sign_ins(self, on_postgresql: Services, postgresql_url: str) -> None:
        """While another node holds the count of an address, the sign-ins at other addresses are answered."""
        key = attempt_key(on_postgresql.secret, address(0), CLIENT)
        count = "INSERT INTO attempt VALUES (%s, 1, now() + interval '900 seconds')"
        assert_delays_the_first_only(on_postgresql, postgresql_url, count, key)


def assert_delays_the_first_only(services: Services, url: str, statement: LiteralString, value: str) -> None:
    """Of customers that sign in while another node's transaction has run this, only the first is answered later."""
    for number in range(MAX_BATCH):
        confirmed(services, email=address(number))
    with closing(SignInBatcher(services)) as batcher:
        with psycopg.connect(url) as other:
            other.execute(statement, [value])
            requests = [SignInRequest(address(number), PASSWORD, CLIENT) for number in range(MAX_BATCH)]
            held, *others = [sign_in(services, batcher, each) for each in requests]
            assert all(isinstance(outcome.result(PATIENCE), Tokens) for outcome in others)
            assert not held.done()
            other.rollback()
        assert isinstance(held.result(PATIENCE), Tokens)

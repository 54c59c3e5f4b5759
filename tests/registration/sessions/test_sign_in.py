"""Signing in: which clients get tokens, what a refusal tells, and what is written."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import bcrypt
import pytest
from sqlalchemy import delete, event, update
from structlog.testing import capture_logs

from harness.ports import free_port
from registration.account.email_change import confirm_email_change
from registration.account.erasure import anonymize
from registration.account.profile import update_profile
from registration.hashing.passwords import Passwords, Verdict
from registration.keys.link_keys import email_change_key, reset_key
from registration.limits.attempts import Limit
from registration.limits.budgets import Budget, Budgets, Cost, Payer
from registration.limits.lockout import DatabaseLockout, LockoutTerms
from registration.limits.redis_lockout import RedisLockout
from registration.outcomes import (
    BadCredentials,
    Confirmed,
    Done,
    EmailNotConfirmed,
    SignInOutcome,
    Tokens,
    TooManyAttempts,
)
from registration.passwords.reset import request_reset, reset
from registration.services import Services
from registration.sessions.access_tokens import BadToken, Caller
from registration.sessions.sessions import end_sessions
from registration.sessions.sign_in import seconds_blocked
from registration.signing_up.confirmation import confirm
from registration.storage.tables import attempt, audit, customer, mail, refresh_token, session
from tests.clock import Clock
from tests.registration.callers import authenticate, caller_of
from tests.registration.forms import PASSWORD, request
from tests.registration.lost_answers import CommitsTwice
from tests.registration.members import CLIENT, confirmed, signed_in
from tests.registration.signing import sign_in, sign_up
from tests.registration.stored import keys, rows

ADA = "ada@example.org"
NEW = "brand new horse"


def enter(services: Services, email: str = ADA, password: str = PASSWORD, client: str = CLIENT) -> SignInOutcome:
    return sign_in(services, email, password, client)


def store(services: Services, **values: object) -> None:
    """Write these values into every row of the table `customer`."""
    services.database.write(lambda connection: connection.execute(update(customer).values(**values)))


def stored_hash(services: Services) -> str:
    return str(rows(services.database, customer)[0]["password_hash"])


def trail(services: Services) -> list[tuple[str, UUID | None, str | None, str | None]]:
    """The rows of the audit trail about signing in: kind, customer, client and address."""
    found = sorted(
        (row for row in rows(services.database, audit) if row["kind"] not in {"sign-up", "confirm"}),
        key=lambda row: (row["created_at"], row["kind"] == "lock-out"),
    )
    return [(row["kind"], row["customer_id"], row["client_ip"], row["email_key"]) for row in found]


class CountingPasswords(Passwords):
    """Real passwords, which note each hash that a password is compared with."""

    def __init__(self) -> None:
        super().__init__(memory_kib=8, time_cost=1, parallelism=1, slots=2)
        self.verified: list[str | None] = []

    def verify(self, encoded: str | None, password: str, *older_forms: str) -> Verdict:
        self.verified += [encoded] * (1 + len(older_forms))
        return super().verify(encoded, password, *older_forms)


class TestSuccess:
    def test_opens_a_session(self, services: Services) -> None:
        """A sign-in opens a session, gives a pair of tokens for the customer and is audited."""
        ada = confirmed(services)
        outcome = enter(services)
        assert isinstance(outcome, Tokens)
        caller = authenticate(services, outcome.access_token)
        assert isinstance(caller, Caller)
        assert caller.customer == ada
        assert [row["id"] for row in rows(services.database, session)] == [caller.session_id]
        assert trail(services) == [("sign-in", ada.id, CLIENT, None)]

    def test_is_two_transactions(self, services: Services) -> None:
        """Counts and customer are one transaction before the hash; all that a sign-in writes is one after it."""
        confirmed(services)
        budgets = Budgets([Budget(cost, Payer.CLIENT, Limit(9, 60)) for cost in (Cost.GUESS, Cost.HASH)])
        commits: list[object] = []
        note = commits.append
        event.listen(services.database.engine, "commit", note)
        outcome = enter(replace(services, budgets=budgets))
        event.remove(services.database.engine, "commit", note)
        assert isinstance(outcome, Tokens)
        assert len(commits) == 2
        assert [row["count"] for row in rows(services.database, attempt)] == [1]  # the hash alone is not given back

    @pytest.mark.parametrize("windows", [(60, 120), (120, 60)])
    def test_gives_back_in_the_order_in_which_it_counts(self, services: Services, windows: tuple[int, int]) -> None:
        """Two sign-ins of a client cannot deadlock: both transactions lock the rows of `attempt` in one order."""
        confirmed(services)
        budgets = Budgets(Budget(Cost.GUESS, Payer.CLIENT, Limit(9, seconds)) for seconds in windows)
        counted: list[str] = []
        given_back: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
            if re.match("INSERT INTO attempt|UPDATE attempt", statement):
                found = re.findall(r"[0-9a-f]{64}", str(parameters))
                (counted if "INTO" in statement else given_back).extend(found)

        event.listen(services.database.engine, "before_cursor_execute", note)
        assert isinstance(enter(replace(services, budgets=budgets)), Tokens)
        assert len(set(counted)) == 3
        assert given_back == counted

    @pytest.mark.parametrize("spelling", ["ADA@EXAMPLE.ORG", "Ada@Example.Org"])
    def test_case_of_the_address_does_not_matter(self, services: Services, spelling: str) -> None:
        """The address signs in whatever the case of its local part and domain."""
        confirmed(services)
        assert isinstance(enter(services, spelling), Tokens)

    def test_that_is_committed_twice_is_one(self, services: Services) -> None:
        """A sign-in whose commit is not acknowledged runs again and opens one session, whose tokens work."""
        customer = confirmed(services)
        lost = CommitsTwice(services.database)
        tokens = enter(replace(services, database=lost))
        assert lost.repeated == 1
        assert [kind for kind, *_ in trail(services)] == ["sign-in"]
        assert isinstance(tokens, Tokens)
        assert caller_of(services, tokens).customer == customer
        assert len(rows(services.database, session)) == len(rows(services.database, refresh_token)) == 1

    def test_that_is_committed_twice_is_given_back_once(self, services: Services) -> None:
        """A right password whose commit is not acknowledged takes no wrong one back, neither attempt nor guess."""
        confirmed(services)
        budgets = Budgets([Budget(Cost.GUESS, Payer.CLIENT, Limit(99, 900))])
        limited = replace(services, budgets=budgets, database=CommitsTwice(services.database))
        for _ in range(4):
            assert enter(limited, password="wrong password") == BadCredentials()
        assert isinstance(enter(limited), Tokens)
        assert [row["count"] for row in rows(services.database, attempt)] == [4, 4]
        assert [kind for kind, *_ in trail(services)] == ["sign-in failure"] * 4 + ["sign-in"]

    def test_without_an_audit_row_can_be_committed_twice(self, services: Services) -> None:
        """Being told that the address is not confirmed is the same when the commit is not acknowledged."""
        sign_up(services, request())
        lost = CommitsTwice(services.database)
        assert enter(replace(services, database=lost)) == EmailNotConfirmed()
        assert lost.repeated == 1

    def test_case_of_the_password_matters(self, services: Services) -> None:
        """A password in another case, or with another space, is refused."""
        confirmed(services)
        for password in (PASSWORD.upper(), f" {PASSWORD}", f"{PASSWORD} "):
            assert enter(services, password=password) == BadCredentials()

    def test_a_password_does_not_age(self, services: Services, clock: Clock) -> None:
        """A password signs in after years: no customer has to choose another one from time to time."""
        confirmed(services)
        clock.move(timedelta(days=3000))
        assert isinstance(enter(services), Tokens)

    def test_sessions_at_once_are_not_limited(self, services: Services) -> None:
        """Each sign-in opens a session beside those that are there, which stay."""
        confirmed(services)
        opened = [enter(services) for _ in range(30)]
        callers = [authenticate(services, each.access_token) for each in opened if isinstance(each, Tokens)]
        assert len({each.session_id for each in callers if isinstance(each, Caller)}) == 30

    def test_leaves_no_count(self, services: Services) -> None:
        """A sign-in leaves no count of attempts."""
        confirmed(services)
        enter(services)
        assert rows(services.database, attempt) == []

    def test_without_confirmation_by_setting(self, services: Services) -> None:
        """With confirmation off a customer can sign in at once."""
        unconfirmed = replace(services, confirmation=None)
        sign_up(unconfirmed, request())
        assert isinstance(enter(unconfirmed), Tokens)

    def test_a_client_without_an_ip_is_recorded_as_none(self, services: Services) -> None:
        """A client without an IP address, as behind a Unix socket, is recorded as None."""
        ada = confirmed(services)
        assert isinstance(enter(services, client=""), Tokens)
        assert trail(services) == [("sign-in", ada.id, None, None)]


class TestRefusal:
    def wrong(self, services: Services) -> SignInOutcome:
        confirmed(services)
        return enter(services, password="wrong password")

    def unknown(self, services: Services) -> SignInOutcome:
        return enter(services)

    def no_address(self, services: Services) -> SignInOutcome:
        return enter(services, "no address")

    def unconfirmed(self, services: Services) -> SignInOutcome:
        sign_up(services, request())
        return enter(replace(services, conceal=True))

    def unconfirmed_and_wrong(self, services: Services) -> SignInOutcome:
        sign_up(services, request())
        return enter(services, password="wrong password")

    def erased(self, services: Services) -> SignInOutcome:
        confirmed(services)
        store(services, anonymized_at=services.clock())
        return enter(services)

    def without_password(self, services: Services) -> SignInOutcome:
        confirmed(services)
        store(services, password_hash="")
        return enter(services, password="")

    @pytest.mark.parametrize(
        "reason", [wrong, unknown, no_address, unconfirmed, unconfirmed_and_wrong, erased, without_password]
    )
    def test_is_the_same_for_every_reason(
        self, services: Services, reason: Callable[["TestRefusal", Services], SignInOutcome]
    ) -> None:
        """Every refusal has the same outcome, one comparison, one count and one audit row."""
        passwords = CountingPasswords()
        assert reason(self, replace(services, passwords=passwords)) == BadCredentials()
        passwords.close()
        assert len(passwords.verified) == 1
        assert [row["count"] for row in rows(services.database, attempt)] == [1]
        assert [line[0] for line in trail(services)] == ["sign-in failure"]
        assert rows(services.database, session) == rows(services.database, refresh_token) == []

    def test_trail_has_the_customer_or_the_address(self, services: Services) -> None:
        """A failure is recorded with the customer, or else with the key of the address, not with the text as typed."""
        ada = confirmed(services)
        for email in (ADA, "Unknown@Example.ORG", "no address\x00", "x" * 5000 + "@example.org"):
            enter(services, email, "wrong password")
        assert sorted(trail(services), key=str) == sorted(
            [
                ("sign-in failure", ada.id, CLIENT, None),
                ("sign-in failure", None, CLIENT, "unknown@example.org"),
                ("sign-in failure", None, CLIENT, None),
                ("sign-in failure", None, CLIENT, None),
            ],
            key=str,
        )

    @pytest.mark.parametrize("password", ["", "\ud800", "a\x00b", "x" * 4097, "ü" * 2049, "x" * 60_000])
    def test_strange_passwords(self, services: Services, password: str) -> None:
        """A password of any text is refused and raises nothing."""
        confirmed(services)
        assert enter(services, password=password) == BadCredentials()


class TestNotConfirmed:
    """The right password of an account whose address is not proven yet, where answers may tell that it exists."""

    def test_is_told_and_not_counted(self, services: Services) -> None:
        """The right password is told that the address is not confirmed, as often as it is tried, and leaves no row."""
        sign_up(services, request())
        for _ in range(12):
            assert enter(services) == EmailNotConfirmed()
        assert enter(services, password="wrong password") == BadCredentials()
        assert [row["count"] for row in rows(services.database, attempt)] == [1]
        assert [kind for kind, *_ in trail(services)] == ["sign-in failure"]
        assert rows(services.database, session) == []

    def lock_out(self, services: Services, email: str = ADA) -> None:
        for _ in range(9):
            enter(services, email, "wrong password")
        assert isinstance(enter(services, email), TooManyAttempts)

    def test_confirmation_ends_a_lock_out(self, services: Services) -> None:
        """When the owner of a mailbox confirms, the failed sign-ins for the address are forgotten."""
        sign_up(services, request())
        self.lock_out(services)
        assert isinstance(confirm(services, keys(services.database, services.secret)[-1]), Confirmed)
        assert rows(services.database, attempt) == []
        assert isinstance(enter(services), Tokens)

    def test_a_reset_ends_a_lock_out(self, services: Services) -> None:
        """When the owner of a mailbox resets the password, the failed sign-ins for the address are forgotten."""
        confirmed(services)
        self.lock_out(services)
        request_reset(services, ADA, CLIENT)
        (mailed,) = (row for row in rows(services.database, mail) if row["kind"] == "reset")
        new = {"token": reset_key(services.secret, mailed["token_id"]), "password": NEW, "confirmPassword": NEW}
        assert reset(services, new, CLIENT) == Done()
        assert isinstance(enter(services, password=NEW), Tokens)

    def test_a_proven_new_address_ends_its_lock_out(self, services: Services) -> None:
        """When a customer proves a new address, the failed sign-ins for that address are forgotten."""
        confirmed(services)
        update_profile(services, caller_of(services, signed_in(services)), {"email": "Ben@Example.org"}, CLIENT)
        self.lock_out(services, "ben@example.org")
        (mailed,) = (row for row in rows(services.database, mail) if row["kind"] == "email_change")
        confirm_email_change(services, email_change_key(services.secret, mailed["token_id"]), CLIENT)
        assert isinstance(enter(services, "ben@example.org"), Tokens)

    def test_an_outage_of_the_counting_server_does_not_matter(self, services: Services) -> None:
        """A confirmation succeeds while the server that counts does not answer; the counts then end by themselves."""
        sign_up(services, request())
        lockout = RedisLockout(f"redis://127.0.0.1:{free_port()}/0", LockoutTerms())
        down = replace(services, lockout=lockout)
        with capture_logs() as logs:
            assert isinstance(confirm(down, keys(services.database, services.secret)[-1]), Confirmed)
        lockout.close()
        assert [line["event"] for line in logs] == ["lockout.not_forgotten"]
        assert isinstance(enter(services), Tokens)


class TestLockOut:
    @pytest.fixture
    def services(self, services: Services, clock: Clock) -> Services:
        confirmed(services)
        terms = LockoutTerms(failures=3, window=timedelta(seconds=900), block=timedelta(seconds=360))
        return replace(services, lockout=DatabaseLockout(services.database, terms, clock))

    def fail(self, services: Services, times: int, **where: Any) -> list[SignInOutcome]:
        return [enter(services, password="wrong password", **where) for _ in range(times)]

    def test_begins_after_the_last_failure(self, services: Services, clock: Clock) -> None:
        """After the last failure the right password is refused until the block is over."""
        assert self.fail(services, 3) == [BadCredentials()] * 3
        clock.move(timedelta(seconds=1))
        assert enter(services) == TooManyAttempts(359)
        assert seconds_blocked(services, ADA.upper(), CLIENT) == 359
        assert seconds_blocked(services, "no address", CLIENT) is None
        clock.move(timedelta(seconds=358))
        assert enter(services) == TooManyAttempts(1)
        clock.move(timedelta(seconds=1))
        assert isinstance(enter(services), Tokens)

    def test_is_in_the_trail_once(self, services: Services) -> None:
        """The audit trail holds the lock-out once, and no attempt while it lasts."""
        self.fail(services, 6)
        assert [kind for kind, *_ in trail(services)] == ["sign-in failure"] * 3 + ["lock-out"]

    def test_of_an_unknown_address(self, services: Services) -> None:
        """An unknown address is locked out as a known one, so that a lock-out does not tell which are known."""
        outcomes = self.fail(services, 4, email="unknown@example.org")
        assert outcomes == [BadCredentials()] * 3 + [TooManyAttempts(360)]
        assert trail(services)[-1] == ("lock-out", None, CLIENT, "unknown@example.org")

    def test_counts_all_spellings_of_an_address(self, services: Services) -> None:
        """All spellings of an address count together; the contract's count of texts would allow a try for each."""
        for spelling in (ADA, ADA.upper(), "Ada@example.org"):
            self.fail(services, 1, email=spelling)
        assert enter(services) == TooManyAttempts(360)

    def test_is_for_client_and_address(self, services: Services) -> None:
        """A lock-out concerns one client and one address: other clients and addresses sign in."""
        confirmed(services, email="ben@example.org")
        self.fail(services, 3)
        assert isinstance(enter(services, client="198.51.100.7"), Tokens)
        assert isinstance(enter(services, "ben@example.org"), Tokens)

    def test_is_for_the_whole_network_of_an_ipv6_client(self, services: Services) -> None:
        """A lock-out concerns the whole /64 network of an IPv6 client, and not the next one."""
        for client in ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::2%eth0"):
            self.fail(services, 1, client=client)
        assert enter(services, client="2001:db8:0:1::3") == TooManyAttempts(360)
        assert isinstance(enter(services, client="2001:db8:0:2::1"), Tokens)

    def test_is_not_reset_by_success(self, services: Services) -> None:
        """A successful sign-in is not counted and does not reset the count."""
        self.fail(services, 2)
        for _ in range(5):
            assert isinstance(enter(services), Tokens)
        self.fail(services, 1)
        assert enter(services) == TooManyAttempts(360)


class TestHashes:
    def store_hash(self, services: Services, encoded: str) -> None:
        confirmed(services)
        store(services, password_hash=encoded)

    def test_a_foreign_hash_is_replaced_at_the_first_sign_in(self, services: Services) -> None:
        """The first sign-in replaces a foreign hash by one of ours and changes nothing else; a failed one does not."""
        foreign = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$")
        self.store_hash(services, foreign)
        before = rows(services.database, customer)[0]
        assert enter(services, password="wrong password") == BadCredentials()
        assert stored_hash(services) == foreign
        assert isinstance(enter(services), Tokens)
        ours = stored_hash(services)
        assert ours.startswith("$argon2id$v=19$m=8,t=1,p=1$")
        assert isinstance(enter(services), Tokens)
        assert stored_hash(services) == ours
        assert rows(services.database, customer)[0] == before | {"password_hash": ours}

    def test_a_hash_is_replaced_when_the_parameters_change(self, services: Services) -> None:
        """A sign-in replaces a hash whose parameters are lower or higher than the settings."""
        confirmed(services)
        costlier = Passwords(memory_kib=16, time_cost=2, parallelism=1, slots=1)
        assert isinstance(enter(replace(services, passwords=costlier)), Tokens)
        costlier.close()
        assert stored_hash(services).startswith("$argon2id$v=19$m=16,t=2,p=1$")
        assert isinstance(enter(services), Tokens)
        assert stored_hash(services).startswith("$argon2id$v=19$m=8,t=1,p=1$")


COMPOSED, DECOMPOSED = "Gl\u00fcck \u00e9t\u00e9 7", "Glu\u0308ck e\u0301te\u0301\u00a07"
"""One password, as two keyboards write it."""


class TestForms:
    @pytest.mark.parametrize("chosen", [COMPOSED, DECOMPOSED])
    @pytest.mark.parametrize("typed", [COMPOSED, DECOMPOSED])
    def test_one_password_has_many_forms(self, services: Services, chosen: str, typed: str) -> None:
        """A password signs in however a keyboard writes its letters and spaces, at sign-up and at sign-in."""
        confirmed(services, password=chosen, confirmPassword=typed)
        before = stored_hash(services)
        assert isinstance(enter(services, password=typed), Tokens)
        assert stored_hash(services) == before
        assert enter(services, password="Gluck ete 7") == BadCredentials()

    def test_a_hash_of_the_typed_form_is_replaced(self, services: Services) -> None:
        """A hash that was made of the typed form signs in by that form, and is replaced by one of the prepared form."""
        confirmed(services)
        store(services, password_hash=services.passwords.hash(DECOMPOSED))
        assert enter(services, password=COMPOSED) == BadCredentials()
        assert isinstance(enter(services, password=DECOMPOSED), Tokens)
        for typed in (COMPOSED, DECOMPOSED):
            assert isinstance(enter(services, password=typed), Tokens)

    def test_a_foreign_hash_of_the_typed_form_is_replaced(self, services: Services) -> None:
        """A bcrypt hash that another shop made of the typed form is replaced in the same way."""
        confirmed(services)
        store(services, password_hash=bcrypt.hashpw(DECOMPOSED.encode(), bcrypt.gensalt(4)).decode())
        for typed in (DECOMPOSED, COMPOSED):
            assert isinstance(enter(services, password=typed), Tokens)

    @pytest.mark.parametrize("is_known", [True, False])
    def test_an_unknown_address_costs_the_same(self, services: Services, is_known: bool) -> None:
        """Both forms of a wrong password are compared, whether or not an account has the address."""
        if is_known:
            confirmed(services)
        passwords = CountingPasswords()
        assert enter(replace(services, passwords=passwords), password=DECOMPOSED) == BadCredentials()
        passwords.close()
        assert len(passwords.verified) == 2


class Meanwhile:
    """Random ids; the first one calls `happens`: after the password was verified, before the session is opened."""

    def __init__(self, happens: Callable[[], object]) -> None:
        self._happens: Callable[[], object] | None = happens

    def __call__(self) -> UUID:
        happens, self._happens = self._happens, None
        if happens:
            happens()
        return uuid4()


class TestMeanwhile:
    def test_the_password_was_changed(self, services: Services) -> None:
        """A sign-in is refused when the password was changed after it was verified."""
        confirmed(services)
        meanwhile = Meanwhile(lambda: store(services, password_changed_at=services.clock()))
        assert enter(replace(services, new_id=meanwhile)) == BadCredentials()
        assert rows(services.database, session) == []

    @pytest.mark.parametrize("erased", [True, False])
    def test_the_customer_was_erased(self, services: Services, erased: bool) -> None:
        """A sign-in is refused when the customer was erased, or the row deleted, after the password was verified."""
        confirmed(services)

        def happens() -> None:
            if erased:
                store(services, anonymized_at=services.clock())
            else:
                services.database.write(lambda connection: connection.execute(delete(customer)))

        assert enter(replace(services, new_id=Meanwhile(happens))) == BadCredentials()
        assert rows(services.database, session) == []

    def test_the_failure_of_an_erased_customer_has_no_name(self, services: Services) -> None:
        """When the customer is erased meanwhile, the failure is recorded without customer and address."""
        ada = confirmed(services)
        caller = caller_of(services, signed_in(services))
        assert (
            enter(replace(services, new_id=Meanwhile(lambda: anonymize(services, caller, None, CLIENT))))
            == BadCredentials()
        )
        assert trail(services)[-1] == ("sign-in failure", None, CLIENT, None)
        of_ada = [row for row in rows(services.database, audit) if row["customer_id"] == ada.id]
        assert {(row["client_ip"], row["email_key"]) for row in of_ada} == {(None, None)}

    def test_another_sign_in_replaced_the_hash(self, services: Services) -> None:
        """Two sign-ins that both replace the hash both succeed, and the hash of the first stays."""
        confirmed(services)
        store(services, password_hash=bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode())
        first: list[str] = []

        def happens() -> None:
            assert isinstance(enter(services), Tokens)
            first.append(stored_hash(services))

        assert isinstance(enter(replace(services, new_id=Meanwhile(happens))), Tokens)
        assert [stored_hash(services)] == first

    def test_the_password_is_changed_a_moment_later(self, services: Services) -> None:
        """A change of the password after the sign-in ends the new session."""
        ada = confirmed(services)
        outcome = enter(services)
        assert isinstance(outcome, Tokens)

        def change(now: datetime) -> None:
            store(services, password_changed_at=now)
            services.database.write(lambda connection: end_sessions(connection, ada.id, now))

        change(services.clock())
        assert authenticate(services, outcome.access_token) is BadToken.REVOKED

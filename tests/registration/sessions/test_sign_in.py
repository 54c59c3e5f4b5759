"""Signing in: who gets in, what a refusal tells, and what is written."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import bcrypt
import pytest
from sqlalchemy import delete, update

from registration.account.erasure import anonymize
from registration.hashing.passwords import Passwords, Verdict
from registration.limits.lockout import DatabaseLockout, LockoutTerms
from registration.outcomes import BadCredentials, SignInOutcome, Tokens, TooManyAttempts
from registration.services import Services
from registration.sessions.access_tokens import authenticate
from registration.sessions.sessions import end_sessions
from registration.sessions.sign_in import seconds_blocked, sign_in
from registration.storage.tables import attempt, audit, customer, refresh_token, session
from tests.clock import Clock
from tests.registration.callers import caller_of
from tests.registration.forms import PASSWORD, request
from tests.registration.members import CLIENT, confirmed, signed_in
from tests.registration.signing import sign_up
from tests.registration.stored import rows

ADA = "ada@example.org"


def enter(services: Services, email: str = ADA, password: str = PASSWORD, client: str = CLIENT) -> SignInOutcome:
    return sign_in(services, email, password, client)


def store(services: Services, **values: object) -> None:
    """Write over the columns of all customers."""
    services.database.write(lambda connection: connection.execute(update(customer).values(**values)))


def stored_hash(services: Services) -> str:
    return str(rows(services.database, customer)[0]["password_hash"])


def trail(services: Services) -> list[tuple[str, UUID | None, str | None, str | None]]:
    """What the audit holds of signing in: kind, customer, client and address."""
    found = sorted(
        (row for row in rows(services.database, audit) if row["kind"] not in {"sign-up", "confirm"}),
        key=lambda row: (row["created_at"], row["kind"] == "lock-out"),
    )
    return [(row["kind"], row["customer_id"], row["client_ip"], row["email_key"]) for row in found]


class CountingPasswords(Passwords):
    """The real ones, with the hashes counted that they compare with."""

    def __init__(self) -> None:
        super().__init__(memory_kib=8, time_cost=1, parallelism=1, slots=2)
        self.verified: list[str | None] = []

    def verify(self, encoded: str | None, password: str) -> Verdict:
        self.verified.append(encoded)
        return super().verify(encoded, password)


class TestSuccess:
    def test_opens_a_session(self, services: Services) -> None:
        """With a pair of tokens for the customer of the address."""
        ada = confirmed(services)
        outcome = enter(services)
        assert isinstance(outcome, Tokens)
        caller = authenticate(services, outcome.access_token)
        assert caller is not None
        assert caller.customer == ada
        assert [row["id"] for row in rows(services.database, session)] == [caller.session_id]
        assert trail(services) == [("sign-in", ada.id, CLIENT, None)]

    @pytest.mark.parametrize("spelling", ["ADA@EXAMPLE.ORG", "Ada@Example.Org"])
    def test_case_of_the_address_does_not_matter(self, services: Services, spelling: str) -> None:
        """Neither in the name nor in the domain."""
        confirmed(services)
        assert isinstance(enter(services, spelling), Tokens)

    def test_case_of_the_password_matters(self, services: Services) -> None:
        """And so does every space of it."""
        confirmed(services)
        for password in (PASSWORD.upper(), f" {PASSWORD}", f"{PASSWORD} "):
            assert enter(services, password=password) == BadCredentials()

    def test_leaves_no_count(self, services: Services) -> None:
        """Attempts that were none are forgotten."""
        confirmed(services)
        enter(services)
        assert rows(services.database, attempt) == []

    def test_without_confirmation_by_setting(self, services: Services) -> None:
        """Where nobody must confirm, everybody can sign in at once."""
        free = replace(services, confirmation=None)
        sign_up(free, request())
        assert isinstance(enter(free), Tokens)

    def test_an_unknown_client_is_no_client(self, services: Services) -> None:
        """Behind a Unix socket nobody has an address."""
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
        return enter(services, "nobody")

    def unconfirmed(self, services: Services) -> SignInOutcome:
        sign_up(services, request())
        return enter(services)

    def erased(self, services: Services) -> SignInOutcome:
        confirmed(services)
        store(services, anonymized_at=services.clock())
        return enter(services)

    def without_password(self, services: Services) -> SignInOutcome:
        confirmed(services)
        store(services, password_hash="")
        return enter(services, password="")

    @pytest.mark.parametrize("reason", [wrong, unknown, no_address, unconfirmed, erased, without_password])
    def test_is_the_same_for_every_reason(
        self, services: Services, reason: Callable[["TestRefusal", Services], SignInOutcome]
    ) -> None:
        """The same outcome, one comparison, one count and one line in the trail."""
        passwords = CountingPasswords()
        assert reason(self, replace(services, passwords=passwords)) == BadCredentials()
        passwords.close()
        assert len(passwords.verified) == 1
        assert [row["count"] for row in rows(services.database, attempt)] == [1]
        assert [line[0] for line in trail(services)] == ["sign-in failure"]
        assert rows(services.database, session) == rows(services.database, refresh_token) == []

    def test_trail_names_who_is_known(self, services: Services) -> None:
        """The customer where there is one, else the normalised address; never what was typed as it was typed."""
        ada = confirmed(services)
        for email in (ADA, "Nobody@Example.ORG", "no address\x00", "x" * 5000 + "@example.org"):
            enter(services, email, "wrong password")
        assert sorted(trail(services), key=str) == sorted(
            [
                ("sign-in failure", ada.id, CLIENT, None),
                ("sign-in failure", None, CLIENT, "nobody@example.org"),
                ("sign-in failure", None, CLIENT, None),
                ("sign-in failure", None, CLIENT, None),
            ],
            key=str,
        )

    @pytest.mark.parametrize("password", ["", "\ud800", "a\x00b", "x" * 4097, "ü" * 2049, "x" * 60_000])
    def test_strange_passwords(self, services: Services, password: str) -> None:
        """No text raises."""
        confirmed(services)
        assert enter(services, password=password) == BadCredentials()


class TestLockOut:
    @pytest.fixture
    def services(self, services: Services, clock: Clock) -> Services:
        confirmed(services)
        terms = LockoutTerms(failures=3, window=timedelta(seconds=900), block=timedelta(seconds=360))
        return replace(services, lockout=DatabaseLockout(services.database, terms, clock))

    def fail(self, services: Services, times: int, **where: Any) -> list[SignInOutcome]:
        return [enter(services, password="wrong password", **where) for _ in range(times)]

    def test_begins_after_the_last_failure(self, services: Services, clock: Clock) -> None:
        """Which is answered as the others; then the right password does not help until the block is over."""
        assert self.fail(services, 3) == [BadCredentials()] * 3
        clock.move(timedelta(seconds=1))
        assert enter(services) == TooManyAttempts(359)
        assert seconds_blocked(services, ADA.upper(), CLIENT) == 359
        assert seconds_blocked(services, "nobody", CLIENT) is None
        clock.move(timedelta(seconds=358))
        assert enter(services) == TooManyAttempts(1)
        clock.move(timedelta(seconds=1))
        assert isinstance(enter(services), Tokens)

    def test_is_in_the_trail_once(self, services: Services) -> None:
        """Attempts while it lasts leave nothing."""
        self.fail(services, 6)
        assert [kind for kind, *_ in trail(services)] == ["sign-in failure"] * 3 + ["lock-out"]

    def test_of_an_unknown_address(self, services: Services) -> None:
        """Nobody learns from it who is registered."""
        outcomes = self.fail(services, 4, email="nobody@example.org")
        assert outcomes == [BadCredentials()] * 3 + [TooManyAttempts(360)]
        assert trail(services)[-1] == ("lock-out", None, CLIENT, "nobody@example.org")

    def test_is_for_the_address_however_it_is_spelt(self, services: Services) -> None:
        """The contract counts what was typed; that would be as many tries as there are spellings."""
        for spelling in (ADA, ADA.upper(), "Ada@example.org"):
            self.fail(services, 1, email=spelling)
        assert enter(services) == TooManyAttempts(360)

    def test_is_for_client_and_address(self, services: Services) -> None:
        """Nobody can lock out another, and nobody is locked out for another."""
        confirmed(services, email="ben@example.org")
        self.fail(services, 3)
        assert isinstance(enter(services, client="198.51.100.7"), Tokens)
        assert isinstance(enter(services, "ben@example.org"), Tokens)

    def test_is_for_the_whole_network_of_an_ipv6_client(self, services: Services) -> None:
        """Who has one address of it has all; the next network is somebody else's."""
        for client in ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::2%eth0"):
            self.fail(services, 1, client=client)
        assert enter(services, client="2001:db8:0:1::3") == TooManyAttempts(360)
        assert isinstance(enter(services, client="2001:db8:0:2::1"), Tokens)

    def test_is_not_reset_by_success(self, services: Services) -> None:
        """Nor are successes counted."""
        self.fail(services, 2)
        for _ in range(5):
            assert isinstance(enter(services), Tokens)
        self.fail(services, 1)
        assert enter(services) == TooManyAttempts(360)


class TestHashes:
    def store_hash(self, services: Services, encoded: str) -> None:
        confirmed(services)
        store(services, password_hash=encoded)

    def test_foreign_one_is_replaced_by_the_first_good_sign_in(self, services: Services) -> None:
        """Not by a bad one; the password stays the same, and the customer is not touched otherwise."""
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

    def test_ours_is_replaced_when_the_parameters_change(self, services: Services) -> None:
        """Cheaper or dearer."""
        confirmed(services)
        dearer = Passwords(memory_kib=16, time_cost=2, parallelism=1, slots=1)
        assert isinstance(enter(replace(services, passwords=dearer)), Tokens)
        dearer.close()
        assert stored_hash(services).startswith("$argon2id$v=19$m=16,t=2,p=1$")
        assert isinstance(enter(services), Tokens)
        assert stored_hash(services).startswith("$argon2id$v=19$m=8,t=1,p=1$")


class Meanwhile:
    """Ids as ever, but something happens before the first: after the password was looked at, before the session."""

    def __init__(self, happens: Callable[[], object]) -> None:
        self._happens: Callable[[], object] | None = happens

    def __call__(self) -> UUID:
        happens, self._happens = self._happens, None
        if happens:
            happens()
        return uuid4()


class TestMeanwhile:
    def test_the_password_was_changed(self, services: Services) -> None:
        """Who verified the old password gets no session."""
        confirmed(services)
        meanwhile = Meanwhile(lambda: store(services, password_changed_at=services.clock()))
        assert enter(replace(services, new_id=meanwhile)) == BadCredentials()
        assert rows(services.database, session) == []

    @pytest.mark.parametrize("erased", [True, False])
    def test_the_customer_was_erased(self, services: Services, erased: bool) -> None:
        """Person or row."""
        confirmed(services)

        def happens() -> None:
            if erased:
                store(services, anonymized_at=services.clock())
            else:
                services.database.write(lambda connection: connection.execute(delete(customer)))

        assert enter(replace(services, new_id=Meanwhile(happens))) == BadCredentials()
        assert rows(services.database, session) == []

    def test_the_trail_of_who_was_erased_names_no_client(self, services: Services) -> None:
        """The failure is nobody's, and the address is not written down once more."""
        ada = confirmed(services)
        caller = caller_of(services, signed_in(services))
        assert enter(replace(services, new_id=Meanwhile(lambda: anonymize(services, caller, None)))) == BadCredentials()
        assert trail(services)[-1] == ("sign-in failure", None, CLIENT, None)
        of_ada = [row for row in rows(services.database, audit) if row["customer_id"] == ada.id]
        assert {(row["client_ip"], row["email_key"]) for row in of_ada} == {(None, None)}

    def test_another_sign_in_replaced_the_hash(self, services: Services) -> None:
        """Both get in, and the hash of the first stays."""
        confirmed(services)
        store(services, password_hash=bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode())
        first: list[str] = []

        def happens() -> None:
            assert isinstance(enter(services), Tokens)
            first.append(stored_hash(services))

        assert isinstance(enter(replace(services, new_id=Meanwhile(happens))), Tokens)
        assert [stored_hash(services)] == first

    def test_the_password_is_changed_a_moment_later(self, services: Services) -> None:
        """The new session ends with all others."""
        ada = confirmed(services)
        outcome = enter(services)
        assert isinstance(outcome, Tokens)

        def change(now: datetime) -> None:
            store(services, password_changed_at=now)
            services.database.write(lambda connection: end_sessions(connection, ada.id, now))

        change(services.clock())
        assert authenticate(services, outcome.access_token) is None

"""Sessions: refresh tokens, what ends them, and what two requests at the same moment do."""

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import TypeVar

import pytest
from sqlalchemy import Connection, delete

from registration.outcomes import Done, RefreshRefused, Tokens
from registration.services import Services
from registration.sessions.access_tokens import Caller, authenticate
from registration.sessions.sessions import end_sessions, refresh, revoke, revoke_all
from registration.storage.tables import audit, refresh_token
from tests.clock import Clock
from tests.registration.members import CLIENT, Member, member, signed_in
from tests.registration.stored import rows
from tests.waiting import PATIENCE

Result = TypeVar("Result")
GRACE = timedelta(seconds=10)
MONTH = timedelta(seconds=2_628_000)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def ada(services: Services) -> Member:
    return member(services)


def pair(services: Services, token: str) -> Tokens:
    outcome = refresh(services, token, CLIENT)
    assert isinstance(outcome, Tokens)
    return outcome


def is_refused(services: Services, token: str) -> bool:
    return refresh(services, token, CLIENT) == RefreshRefused()


def caller(services: Services, tokens: Tokens) -> Caller:
    found = authenticate(services, tokens.access_token)
    assert found is not None
    return found


def reuses(services: Services) -> list[tuple[object, object]]:
    """Customer and client of each reuse in the audit trail."""
    found = (row for row in rows(services.database, audit) if row["kind"] == "token reuse")
    return [(row["customer_id"], row["client_ip"]) for row in found]


def at_once(works: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run all of them at the same moment."""
    barrier = Barrier(len(works), timeout=PATIENCE)

    def run(work: Callable[[], Result]) -> Result:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(run, works))


class TestToken:
    def test_is_opaque(self, ada: Member) -> None:
        """It starts as legacy ones do, and the rest are 256 random bits."""
        assert re.fullmatch("def502[0-9a-f]{64}", ada.tokens.refresh_token)

    def test_is_not_stored(self, services: Services, ada: Member) -> None:
        """Whoever reads the database cannot use it."""
        new = pair(services, ada.tokens.refresh_token)
        stored = str(rows(services.database, refresh_token))
        # Without the prefix, which a digest can hold as well.
        for token in (ada.tokens, new):
            assert token.refresh_token.removeprefix("def502")[:16] not in stored

    def test_shows_nothing(self, ada: Member) -> None:
        """A pair in a log line says how long it lives."""
        assert repr(ada.tokens) == "Tokens(expires_in=28800)"

    @pytest.mark.parametrize(
        "change", [str.upper, lambda t: t[:-1], lambda t: t + "0", lambda t: t[6:], lambda t: t + "\n"]
    )
    def test_is_compared_exactly(self, services: Services, ada: Member, change: Callable[[str], str]) -> None:
        """Truncated, lengthened or spelt otherwise it is unknown, and nothing happens to the true one."""
        assert is_refused(services, change(ada.tokens.refresh_token))
        pair(services, ada.tokens.refresh_token)

    @pytest.mark.parametrize("token", ["", "garbage", "\ud800", "\x00", "a" * 100_000, "def502" + "0" * 64])
    def test_garbage_is_refused(self, services: Services, token: str) -> None:
        """No text raises."""
        assert is_refused(services, token)

    def test_an_access_token_is_none(self, services: Services, ada: Member) -> None:
        """The two are not mixed up."""
        assert is_refused(services, ada.tokens.access_token)
        assert authenticate(services, ada.tokens.refresh_token) is None


class TestRotation:
    def test_each_use_gives_a_new_pair_of_the_session(self, services: Services, ada: Member, clock: Clock) -> None:
        """The access tokens of before stay good."""
        session_id = caller(services, ada.tokens).session_id
        tokens = [ada.tokens]
        for _ in range(3):
            clock.move(timedelta(hours=1))
            tokens.append(pair(services, tokens[-1].refresh_token))
        assert len({each.refresh_token for each in tokens}) == len({each.access_token for each in tokens}) == 4
        assert [caller(services, each).session_id for each in tokens] == [session_id] * 4

    def test_lives_for_a_month(self, services: Services, ada: Member, clock: Clock) -> None:
        """Counted anew at each use, so who comes every month stays signed in."""
        token = ada.tokens.refresh_token
        for _ in range(3):
            clock.move(MONTH - INSTANT)
            token = pair(services, token).refresh_token
        clock.move(MONTH)
        assert is_refused(services, token)
        assert not reuses(services)

    def test_a_token_that_was_tidied_up_is_unknown(self, services: Services, ada: Member) -> None:
        """Without any row there is nothing to say about it."""
        services.database.write(lambda connection: connection.execute(delete(refresh_token)))
        assert is_refused(services, ada.tokens.refresh_token)


class TestReuse:
    def test_in_the_grace_another_pair(self, services: Services, ada: Member, clock: Clock) -> None:
        """Two tabs refresh one token and both stay signed in, each with a token of its own."""
        one = pair(services, ada.tokens.refresh_token)
        clock.move(GRACE - INSTANT)
        other = pair(services, ada.tokens.refresh_token)
        assert one.refresh_token != other.refresh_token
        for tokens in (one, other):
            assert caller(services, pair(services, tokens.refresh_token)).customer == ada.customer
        assert not reuses(services)

    def test_after_the_grace_the_family_ends(self, services: Services, ada: Member, clock: Clock) -> None:
        """Somebody has a copy, nobody knows who: every token of the session is void, and the trail says so once."""
        newest = pair(services, pair(services, ada.tokens.refresh_token).refresh_token)
        clock.move(GRACE)
        assert refresh(services, ada.tokens.refresh_token, "198.51.100.7") == RefreshRefused()
        assert is_refused(services, newest.refresh_token)
        assert is_refused(services, ada.tokens.refresh_token)
        assert authenticate(services, newest.access_token) is None
        assert reuses(services) == [(ada.customer.id, "198.51.100.7")]

    def test_grace_is_not_lengthened_by_use(self, services: Services, ada: Member, clock: Clock) -> None:
        """It counts from the first."""
        pair(services, ada.tokens.refresh_token)
        clock.move(GRACE / 2)
        pair(services, ada.tokens.refresh_token)
        clock.move(GRACE / 2)
        assert is_refused(services, ada.tokens.refresh_token)

    def test_of_an_expired_token_too(self, services: Services, ada: Member, clock: Clock) -> None:
        """Age does not make a theft harmless."""
        tokens = ada.tokens
        for _ in range(2):
            clock.move(MONTH - INSTANT)
            tokens = pair(services, tokens.refresh_token)
        assert is_refused(services, ada.tokens.refresh_token)
        assert is_refused(services, tokens.refresh_token)

    def test_no_grace_by_setting(self, services: Services, ada: Member) -> None:
        """Then each token works once, whatever the tabs."""
        strict = replace(services, sessions=replace(services.sessions, grace=timedelta(0)))
        pair(strict, ada.tokens.refresh_token)
        assert is_refused(strict, ada.tokens.refresh_token)

    def test_other_sessions_stay(self, services: Services, ada: Member, clock: Clock) -> None:
        """The customer is signed out in one place."""
        other = signed_in(services)
        pair(services, ada.tokens.refresh_token)
        clock.move(GRACE)
        assert is_refused(services, ada.tokens.refresh_token)
        assert caller(services, pair(services, other.refresh_token)).customer == ada.customer


class TestSigningOut:
    def test_by_a_token(self, services: Services, ada: Member) -> None:
        """Its whole family is void, the copy in another tab too; the access token works until it expires."""
        other = signed_in(services)
        tabs = [pair(services, ada.tokens.refresh_token), pair(services, ada.tokens.refresh_token)]
        assert revoke(services, caller(services, ada.tokens), tabs[0].refresh_token, CLIENT) == Done()
        for tokens in (ada.tokens, *tabs):
            assert is_refused(services, tokens.refresh_token)
            assert caller(services, tokens).customer == ada.customer
        assert caller(services, pair(services, other.refresh_token))
        assert not reuses(services)

    def test_by_a_token_that_was_used(self, services: Services, ada: Member) -> None:
        """A client that missed the answer of its last refresh is signed out as well."""
        newest = pair(services, ada.tokens.refresh_token)
        revoke(services, caller(services, ada.tokens), ada.tokens.refresh_token, CLIENT)
        assert is_refused(services, newest.refresh_token)

    @pytest.mark.parametrize("token", ["", "garbage", "\ud800", "\x00", "a" * 100_000, "def502" + "0" * 64])
    def test_by_garbage(self, services: Services, ada: Member, token: str) -> None:
        """The same answer, and nothing happens."""
        assert revoke(services, caller(services, ada.tokens), token, CLIENT) == Done()
        pair(services, ada.tokens.refresh_token)

    def test_of_another_customer(self, services: Services, ada: Member) -> None:
        """The same answer, and the token is left alone."""
        ben = member(services, email="ben@example.org")
        assert revoke(services, caller(services, ben.tokens), ada.tokens.refresh_token, CLIENT) == Done()
        pair(services, ada.tokens.refresh_token)

    def test_everywhere(self, services: Services, ada: Member) -> None:
        """Every session of the caller, and no one else's; twice is as good as once."""
        ben = member(services, email="ben@example.org")
        other = signed_in(services)
        for _ in range(2):
            assert revoke_all(services, caller(services, ada.tokens), CLIENT) == Done()
        assert is_refused(services, ada.tokens.refresh_token)
        assert is_refused(services, other.refresh_token)
        pair(services, ben.tokens.refresh_token)
        signed_in(services)

    def test_is_audited(self, services: Services, ada: Member) -> None:
        """Once for what ends sessions, and not at all where there was none to end."""
        for token in ("garbage", ada.tokens.refresh_token):
            revoke(services, caller(services, ada.tokens), token, "192.0.2.9")
        found = [row for row in rows(services.database, audit) if row["kind"] == "sign-out"]
        assert [(row["customer_id"], row["client_ip"]) for row in found] == [(ada.customer.id, "192.0.2.9")]


class TestEnding:
    def test_all(self, services: Services, ada: Member, clock: Clock) -> None:
        """Refresh tokens, the grace of used ones, and access tokens."""
        newest = pair(services, ada.tokens.refresh_token)
        services.database.write(lambda connection: end_sessions(connection, ada.customer.id, clock.now))
        for tokens in (ada.tokens, newest):
            assert is_refused(services, tokens.refresh_token)
            assert authenticate(services, tokens.access_token) is None
        assert not reuses(services)

    def test_all_but_one(self, services: Services, ada: Member, clock: Clock) -> None:
        """Whoever changes the password stays signed in there."""
        ben = member(services, email="ben@example.org")
        kept = signed_in(services)
        keep = caller(services, kept).session_id
        services.database.write(lambda connection: end_sessions(connection, ada.customer.id, clock.now, keep))
        assert is_refused(services, ada.tokens.refresh_token)
        assert caller(services, pair(services, kept.refresh_token)).session_id == keep
        pair(services, ben.tokens.refresh_token)


class TestAtOnce:
    def test_two_tabs_both_stay_signed_in(self, services: Services, ada: Member) -> None:
        """As do sixteen."""
        token = ada.tokens.refresh_token
        tabs = at_once([lambda: refresh(services, token, CLIENT)] * 16)
        tokens = [outcome for outcome in tabs if isinstance(outcome, Tokens)]
        assert len({each.refresh_token for each in tokens}) == 16
        assert len({pair(services, each.refresh_token).refresh_token for each in tokens}) == 16

    def test_without_grace_one_of_them_wins(self, services: Services, ada: Member) -> None:
        """A token is used once, to the end, even by many at the same moment; then its family is over."""
        strict = replace(services, sessions=replace(services.sessions, grace=timedelta(0)))
        token = ada.tokens.refresh_token
        outcomes = at_once([lambda: refresh(strict, token, CLIENT)] * 8)
        (won,) = (outcome for outcome in outcomes if isinstance(outcome, Tokens))
        assert is_refused(strict, won.refresh_token)
        assert len(reuses(services)) == 1

    def test_signing_out_beats_refreshing(self, services: Services, ada: Member) -> None:
        """Whichever comes first, no token is left that works."""
        who = caller(services, ada.tokens)
        for _ in range(5):
            token = signed_in(services).refresh_token
            *refreshed, _done = at_once(
                [partial(refresh, services, token, CLIENT)] * 3 + [partial(revoke_all, services, who, CLIENT)]
            )
            assert is_refused(services, token)
            assert all(is_refused(services, each.refresh_token) for each in refreshed if isinstance(each, Tokens))

    def test_ending_beats_refreshing(self, services: Services, ada: Member, clock: Clock) -> None:
        """As above, for a reset of the password."""

        def end(connection: Connection) -> None:
            end_sessions(connection, ada.customer.id, clock.now)

        for _ in range(5):
            token = signed_in(services).refresh_token
            *refreshed, _done = at_once(
                [partial(refresh, services, token, CLIENT)] * 3 + [partial(services.database.write, end)]
            )
            assert all(is_refused(services, each.refresh_token) for each in refreshed if isinstance(each, Tokens))
            assert is_refused(services, token)

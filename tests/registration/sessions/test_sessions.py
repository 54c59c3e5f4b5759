"""Sessions: refresh tokens, what ends them, and requests at the same moment."""

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
from registration.sessions.access_tokens import BadToken, Caller
from registration.sessions.sessions import end_sessions, refresh, revoke, revoke_all
from registration.storage.tables import audit, refresh_token
from tests.clock import Clock
from tests.registration.callers import authenticate
from tests.registration.lost_answers import CommitsTwice
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
    assert isinstance(found, Caller)
    return found


def reuses(services: Services) -> list[tuple[object, object]]:
    """The customer and the client of each reuse in the audit trail."""
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
        """A refresh token has the prefix of legacy ones and 256 random bits."""
        assert re.fullmatch("def502[0-9a-f]{64}", ada.tokens.refresh_token)

    def test_is_not_stored(self, services: Services, ada: Member) -> None:
        """The table of refresh tokens does not hold the tokens."""
        new = pair(services, ada.tokens.refresh_token)
        stored = str(rows(services.database, refresh_token))
        # Without the prefix, which a digest can hold as well.
        for token in (ada.tokens, new):
            assert token.refresh_token.removeprefix("def502")[:16] not in stored

    def test_repr_holds_no_token(self, ada: Member) -> None:
        """The repr of a pair of tokens has only its lifetime."""
        assert repr(ada.tokens) == "Tokens(expires_in=28800)"

    @pytest.mark.parametrize(
        "change", [str.upper, lambda t: t[:-1], lambda t: t + "0", lambda t: t[6:], lambda t: t + "\n"]
    )
    def test_is_compared_exactly(self, services: Services, ada: Member, change: Callable[[str], str]) -> None:
        """A token that is changed in any way is refused, and the real one still works."""
        assert is_refused(services, change(ada.tokens.refresh_token))
        pair(services, ada.tokens.refresh_token)

    @pytest.mark.parametrize("token", ["", "garbage", "\ud800", "\x00", "a" * 100_000, "def502" + "0" * 64])
    def test_garbage_is_refused(self, services: Services, token: str) -> None:
        """Any other text is refused and raises nothing."""
        assert is_refused(services, token)

    def test_an_access_token_is_no_refresh_token(self, services: Services, ada: Member) -> None:
        """An access token is no refresh token, and the other way round."""
        assert is_refused(services, ada.tokens.access_token)
        assert authenticate(services, ada.tokens.refresh_token) is BadToken.INVALID


class TestRotation:
    def test_each_use_gives_a_new_pair_of_the_session(self, services: Services, ada: Member, clock: Clock) -> None:
        """Each use of a refresh token gives a new pair of the same session; earlier access tokens stay good."""
        session_id = caller(services, ada.tokens).session_id
        tokens = [ada.tokens]
        for _ in range(3):
            clock.move(timedelta(hours=1))
            tokens.append(pair(services, tokens[-1].refresh_token))
        assert len({each.refresh_token for each in tokens}) == len({each.access_token for each in tokens}) == 4
        assert [caller(services, each).session_id for each in tokens] == [session_id] * 4

    def test_lives_for_a_month(self, services: Services, ada: Member, clock: Clock) -> None:
        """A refresh token lives for a month from its issue, and each use issues a new one."""
        token = ada.tokens.refresh_token
        for _ in range(2):
            clock.move(MONTH - INSTANT)
            token = pair(services, token).refresh_token
        clock.move(MONTH)
        assert is_refused(services, token)
        assert not reuses(services)

    def test_a_session_has_an_end(self, services: Services, ada: Member, clock: Clock) -> None:
        """A session ends 90 days after its sign-in, however often it was refreshed; signing in opens another."""
        tokens = ada.tokens
        for _ in range(89):
            clock.move(timedelta(days=1))
            tokens = pair(services, tokens.refresh_token)
        clock.move(timedelta(days=1) - timedelta(seconds=60))
        tokens = pair(services, tokens.refresh_token)
        assert tokens.expires_in == 60
        clock.move(timedelta(seconds=60) - timedelta(milliseconds=1))
        assert caller(services, tokens).customer == ada.customer
        clock.move(timedelta(milliseconds=1))
        assert authenticate(services, tokens.access_token) is BadToken.INVALID
        assert is_refused(services, tokens.refresh_token)
        assert caller(services, signed_in(services)).customer == ada.customer
        assert not reuses(services)

    def test_the_end_of_a_session_is_a_setting(self, services: Services, ada: Member, clock: Clock) -> None:
        """The end of sessions is a setting, which also holds for sessions that were opened before it changed."""
        short = replace(services, sessions=replace(services.sessions, longest=timedelta(hours=1)))
        of_before = signed_in(services)
        tokens = pair(short, ada.tokens.refresh_token)
        assert tokens.expires_in == 3600
        clock.move(timedelta(hours=1))
        assert is_refused(short, of_before.refresh_token)
        assert is_refused(short, tokens.refresh_token)
        assert is_refused(services, tokens.refresh_token)

    def test_a_deleted_token_is_refused(self, services: Services, ada: Member) -> None:
        """A refresh token whose row was deleted is refused."""
        services.database.write(lambda connection: connection.execute(delete(refresh_token)))
        assert is_refused(services, ada.tokens.refresh_token)


class TestReuse:
    @pytest.mark.parametrize("kept", [0, 1])
    def test_in_the_grace_a_used_token_gets_one_further_pair(
        self, services: Services, ada: Member, clock: Clock, kept: int
    ) -> None:
        """In the grace a used refresh token gets one further pair, so that two tabs stay signed in, and no third."""
        one = pair(services, ada.tokens.refresh_token)
        clock.move(GRACE - INSTANT)
        other = pair(services, ada.tokens.refresh_token)
        assert one.refresh_token != other.refresh_token
        assert is_refused(services, ada.tokens.refresh_token)
        for tokens in (one, other):
            assert caller(services, tokens).customer == ada.customer
        clock.move(GRACE)
        newest = pair(services, pair(services, (one, other)[kept].refresh_token).refresh_token)
        assert caller(services, newest).customer == ada.customer
        assert not reuses(services)

    @pytest.mark.parametrize("steps", [1, 2])
    def test_when_both_pairs_are_refreshed_the_family_ends(
        self, services: Services, ada: Member, clock: Clock, steps: int
    ) -> None:
        """When both pairs that a token got are refreshed, two clients have the session, and it ends."""
        one, other = (pair(services, ada.tokens.refresh_token) for _ in range(2))
        for _ in range(steps):
            clock.move(timedelta(hours=1))
            one = pair(services, one.refresh_token)
        assert refresh(services, other.refresh_token, "198.51.100.7") == RefreshRefused()
        assert is_refused(services, one.refresh_token)
        assert authenticate(services, one.access_token) is BadToken.REVOKED
        assert reuses(services) == [(ada.customer.id, "198.51.100.7")]

    def test_a_branch_of_a_branch_ends_the_family_too(self, services: Services, ada: Member) -> None:
        """Each token of a session may be used twice in its grace, and its two pairs must not both be refreshed."""
        child = pair(services, ada.tokens.refresh_token)
        one, other = (pair(services, child.refresh_token) for _ in range(2))
        pair(services, other.refresh_token)
        assert is_refused(services, one.refresh_token)
        assert len(reuses(services)) == 1

    def test_a_refresh_that_is_committed_twice_is_one(self, services: Services, ada: Member) -> None:
        """A refresh whose commit is not acknowledged runs again and gets the pair of its first run, without a grace."""
        strict = replace(services, sessions=replace(services.sessions, grace=timedelta(0)))
        lost = CommitsTwice(services.database)
        newest = pair(replace(strict, database=lost), ada.tokens.refresh_token)
        assert lost.repeated == 1
        assert caller(services, pair(strict, newest.refresh_token)).customer == ada.customer
        assert not reuses(services)

    def test_after_the_grace_the_family_ends(self, services: Services, ada: Member, clock: Clock) -> None:
        """After the grace the use of a used token ends its session, revokes every token of it and is audited once."""
        newest = pair(services, pair(services, ada.tokens.refresh_token).refresh_token)
        clock.move(GRACE)
        assert refresh(services, ada.tokens.refresh_token, "198.51.100.7") == RefreshRefused()
        assert is_refused(services, newest.refresh_token)
        assert is_refused(services, ada.tokens.refresh_token)
        assert authenticate(services, newest.access_token) is BadToken.REVOKED
        assert reuses(services) == [(ada.customer.id, "198.51.100.7")]

    def test_grace_is_not_lengthened_by_use(self, services: Services, ada: Member, clock: Clock) -> None:
        """The grace counts from the first use of a token."""
        pair(services, ada.tokens.refresh_token)
        clock.move(GRACE / 2)
        pair(services, ada.tokens.refresh_token)
        clock.move(GRACE / 2)
        assert is_refused(services, ada.tokens.refresh_token)

    def test_of_an_expired_token_ends_the_session(self, services: Services, ada: Member, clock: Clock) -> None:
        """The use of a used token that has expired ends its session, too."""
        tokens = ada.tokens
        for _ in range(2):
            clock.move(MONTH - INSTANT)
            tokens = pair(services, tokens.refresh_token)
        assert is_refused(services, ada.tokens.refresh_token)
        assert is_refused(services, tokens.refresh_token)

    def test_no_grace_by_setting(self, services: Services, ada: Member) -> None:
        """With a grace of 0 each refresh token works once."""
        strict = replace(services, sessions=replace(services.sessions, grace=timedelta(0)))
        pair(strict, ada.tokens.refresh_token)
        assert is_refused(strict, ada.tokens.refresh_token)

    def test_other_sessions_stay(self, services: Services, ada: Member, clock: Clock) -> None:
        """The reuse of a token leaves other sessions of the customer as they are."""
        other = signed_in(services)
        pair(services, ada.tokens.refresh_token)
        clock.move(GRACE)
        assert is_refused(services, ada.tokens.refresh_token)
        assert caller(services, pair(services, other.refresh_token)).customer == ada.customer


class TestSigningOut:
    @pytest.mark.parametrize("keep_access", [False, True])
    def test_ends_the_session_of_a_token(self, services: Services, ada: Member, keep_access: bool) -> None:
        """Signing out ends all refresh tokens of the session, and its access tokens unless they are kept."""
        other = signed_in(services)
        tabs = [pair(services, ada.tokens.refresh_token), pair(services, ada.tokens.refresh_token)]
        ours = caller(services, ada.tokens)
        assert revoke(services, ours, tabs[0].refresh_token, CLIENT, keep_access=keep_access) == Done()
        for tokens in (ada.tokens, *tabs):
            assert is_refused(services, tokens.refresh_token)
            assert isinstance(authenticate(services, tokens.access_token), Caller) == keep_access
        assert caller(services, pair(services, other.refresh_token))
        assert not reuses(services)

    def test_ends_access_that_was_kept(self, services: Services, ada: Member) -> None:
        """A second sign-out that does not keep access tokens ends those that the first kept."""
        ours = caller(services, ada.tokens)
        revoke(services, ours, ada.tokens.refresh_token, CLIENT, keep_access=True)
        revoke_all(services, ours, CLIENT)
        assert authenticate(services, ada.tokens.access_token) is BadToken.REVOKED

    def test_by_a_used_token(self, services: Services, ada: Member) -> None:
        """Signing out with a used refresh token revokes the newest one of its session."""
        newest = pair(services, ada.tokens.refresh_token)
        revoke(services, caller(services, ada.tokens), ada.tokens.refresh_token, CLIENT)
        assert is_refused(services, newest.refresh_token)

    @pytest.mark.parametrize("token", ["", "garbage", "\ud800", "\x00", "a" * 100_000, "def502" + "0" * 64])
    def test_by_an_unknown_token(self, services: Services, ada: Member, token: str) -> None:
        """Signing out with an unknown token is Done, and the session stays."""
        assert revoke(services, caller(services, ada.tokens), token, CLIENT) == Done()
        pair(services, ada.tokens.refresh_token)

    def test_by_a_token_of_another_customer(self, services: Services, ada: Member) -> None:
        """Signing out with the token of another customer is Done, and that token still works."""
        ben = member(services, email="ben@example.org")
        assert revoke(services, caller(services, ben.tokens), ada.tokens.refresh_token, CLIENT) == Done()
        pair(services, ada.tokens.refresh_token)

    def test_everywhere(self, services: Services, ada: Member) -> None:
        """Signing out everywhere revokes the caller's refresh tokens and no other customer's; it can be repeated."""
        ben = member(services, email="ben@example.org")
        other = signed_in(services)
        ours = caller(services, ada.tokens)
        for _ in range(2):
            assert revoke_all(services, ours, CLIENT) == Done()
        for tokens in (ada.tokens, other):
            assert is_refused(services, tokens.refresh_token)
            assert authenticate(services, tokens.access_token) is BadToken.REVOKED
        assert caller(services, pair(services, ben.tokens.refresh_token)).customer == ben.customer
        signed_in(services)

    def test_is_audited(self, services: Services, ada: Member) -> None:
        """Signing out is audited once, and not at all where there is no session to end."""
        ours = caller(services, ada.tokens)
        for token in ("garbage", ada.tokens.refresh_token, ada.tokens.refresh_token):
            revoke(services, ours, token, "192.0.2.9")
        found = [row for row in rows(services.database, audit) if row["kind"] == "sign-out"]
        assert [(row["customer_id"], row["client_ip"]) for row in found] == [(ada.customer.id, "192.0.2.9")]


class TestEnding:
    def test_ends_every_session(self, services: Services, ada: Member, clock: Clock) -> None:
        """Ending a customer's sessions refuses their refresh tokens and access tokens."""
        newest = pair(services, ada.tokens.refresh_token)
        services.database.write(lambda connection: end_sessions(connection, ada.customer.id, clock.now))
        for tokens in (ada.tokens, newest):
            assert is_refused(services, tokens.refresh_token)
            assert authenticate(services, tokens.access_token) is BadToken.REVOKED
        assert not reuses(services)

    def test_keeps_one_session(self, services: Services, ada: Member, clock: Clock) -> None:
        """Ending sessions spares the one to keep, and those of other customers."""
        ben = member(services, email="ben@example.org")
        kept = signed_in(services)
        keep = caller(services, kept).session_id
        services.database.write(lambda connection: end_sessions(connection, ada.customer.id, clock.now, keep))
        assert is_refused(services, ada.tokens.refresh_token)
        assert caller(services, pair(services, kept.refresh_token)).session_id == keep
        pair(services, ben.tokens.refresh_token)


class TestAtOnce:
    def test_many_uses_in_the_grace_get_two_pairs(self, services: Services, ada: Member) -> None:
        """Of sixteen uses of one token at once two get a pair, and the session goes on."""
        token = ada.tokens.refresh_token
        tabs = at_once([lambda: refresh(services, token, CLIENT)] * 16)
        tokens = [outcome for outcome in tabs if isinstance(outcome, Tokens)]
        assert len({each.refresh_token for each in tokens}) == 2
        pair(services, tokens[0].refresh_token)
        assert not reuses(services)

    def test_without_grace_one_use_wins(self, services: Services, ada: Member) -> None:
        """With a grace of 0 one of eight uses at once gets a pair; the others end its session."""
        strict = replace(services, sessions=replace(services.sessions, grace=timedelta(0)))
        token = ada.tokens.refresh_token
        outcomes = at_once([lambda: refresh(strict, token, CLIENT)] * 8)
        (won,) = (outcome for outcome in outcomes if isinstance(outcome, Tokens))
        assert is_refused(strict, won.refresh_token)
        assert len(reuses(services)) == 1

    def test_signing_out_beats_refreshing(self, services: Services, ada: Member) -> None:
        """When a refresh and a sign-out everywhere meet, no refresh token works afterwards."""
        signed_in_ada = caller(services, ada.tokens)
        for _ in range(5):
            token = signed_in(services).refresh_token
            *refreshed, _done = at_once(
                [partial(refresh, services, token, CLIENT)] * 3 + [partial(revoke_all, services, signed_in_ada, CLIENT)]
            )
            assert is_refused(services, token)
            assert all(is_refused(services, each.refresh_token) for each in refreshed if isinstance(each, Tokens))

    def test_ending_beats_refreshing(self, services: Services, ada: Member, clock: Clock) -> None:
        """When a refresh and the end of all sessions meet, no refresh token works afterwards."""

        def end(connection: Connection) -> None:
            end_sessions(connection, ada.customer.id, clock.now)

        for _ in range(5):
            token = signed_in(services).refresh_token
            *refreshed, _done = at_once(
                [partial(refresh, services, token, CLIENT)] * 3 + [partial(services.database.write, end)]
            )
            assert all(is_refused(services, each.refresh_token) for each in refreshed if isinstance(each, Tokens))
            assert is_refused(services, token)

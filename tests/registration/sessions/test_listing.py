"""The list of sessions that a customer sees, and the end of one of them."""

from datetime import timedelta
from uuid import uuid4

import pytest

from registration.outcomes import Done, RefreshRefused, SessionUnknown, Tokens
from registration.services import Services
from registration.sessions.access_tokens import BadToken
from registration.sessions.devices import Device
from registration.sessions.listing import MOST, OpenSession, end_session, open_sessions
from registration.sessions.sessions import end_sessions, refresh, revoke_all
from registration.storage.tables import audit
from tests.clock import Clock
from tests.registration.callers import authenticate, caller_of
from tests.registration.forms import PASSWORD
from tests.registration.members import CLIENT, confirmed, member
from tests.registration.signing import sign_in
from tests.registration.stored import rows

ADA = "ada@example.org"
DAY = timedelta(days=1)


@pytest.fixture
def tokens(services: Services) -> Tokens:
    """Of Ada's first session, on a Linux machine in Germany."""
    confirmed(services)
    return enter(services, "Firefox/1 (Linux)", "DE")


def enter(services: Services, user_agent: str, place: str = "") -> Tokens:
    outcome = sign_in(services, ADA, PASSWORD, CLIENT, Device(user_agent, place))
    assert isinstance(outcome, Tokens)
    return outcome


def devices(services: Services, tokens: Tokens) -> list[str | None]:
    return [each.device for each in open_sessions(services, caller_of(services, tokens))]


class TestList:
    def test_shows_where_and_when(self, services: Services, clock: Clock, tokens: Tokens) -> None:
        """A session has its device, its place, its first and last use; the caller's own is marked and comes first."""
        began = clock.now
        clock.move(DAY)
        phone = enter(services, "iPhone")
        clock.move(DAY)
        refreshed = refresh(services, phone.refresh_token, CLIENT)
        assert isinstance(refreshed, Tokens)
        clock.move(DAY / 4)
        own = enter(services, "Chrome/1 (Windows)", "FR")
        caller = caller_of(services, own)
        shown = open_sessions(services, caller)
        assert [
            (each.device, each.place, each.first_used_at, each.last_used_at, each.is_current) for each in shown
        ] == [
            ("Chrome (Windows)", "FR", clock.now, clock.now, True),
            ("iPhone", None, began + DAY, began + 2 * DAY, False),
            ("Firefox (Linux)", "DE", began, began, False),
        ]
        assert shown[0].id == caller.session_id

    def test_is_of_the_caller_alone(self, services: Services, tokens: Tokens) -> None:
        """Sessions of other customers are not shown."""
        bob = member(services, email="bob@example.org")
        assert len(open_sessions(services, caller_of(services, bob.tokens))) == 1
        assert devices(services, tokens) == ["Firefox (Linux)"]

    def test_is_bounded(self, services: Services, clock: Clock, tokens: Tokens) -> None:
        """At most twenty sessions are shown, the caller's own among them."""
        for _ in range(MOST):
            clock.move(timedelta(seconds=1))
            enter(services, "iPhone")
        assert devices(services, tokens) == ["Firefox (Linux)"] + ["iPhone"] * (MOST - 1)

    def test_leaves_out_what_is_over(self, services: Services, clock: Clock, tokens: Tokens) -> None:
        """A session that was ended, or was not refreshed in time, is not shown."""
        caller = caller_of(services, tokens)
        clock.move(services.sessions.refresh_token - timedelta(microseconds=1))
        new = enter(services, "iPhone")
        assert devices(services, new) == ["iPhone", "Firefox (Linux)"]
        clock.move(timedelta(microseconds=1))
        assert devices(services, new) == ["iPhone"]
        newest = enter(services, "iPad")
        own = caller_of(services, newest).session_id
        services.database.write(lambda connection: end_sessions(connection, caller.customer.id, clock.now, keep=own))
        assert devices(services, newest) == ["iPad"]

    def test_has_what_the_other_door_ended_while_it_can_work(
        self, services: Services, clock: Clock, tokens: Tokens
    ) -> None:
        """A sign-out that leaves the access token good leaves the session in the list until that token expires."""
        caller = caller_of(services, tokens)
        revoke_all(services, caller, CLIENT, keep_access=True)
        clock.move(services.sessions.access_token - timedelta(microseconds=1))
        assert devices(services, tokens) == ["Firefox (Linux)"]
        clock.move(timedelta(microseconds=1))
        assert open_sessions(services, caller) == []

    def test_has_no_device_in_its_repr(self, services: Services, tokens: Tokens) -> None:
        """The repr of a session names neither device nor place."""
        (shown,) = open_sessions(services, caller_of(services, tokens))
        assert isinstance(shown, OpenSession)
        assert "Firefox" not in repr(shown)


class TestEnd:
    def test_ends_all_tokens_of_the_session(self, services: Services, tokens: Tokens) -> None:
        """The other session's tokens do not work any more, the caller's do, and the trail has a sign-out."""
        other = enter(services, "iPhone")
        caller = caller_of(services, tokens)
        ended = str(caller_of(services, other).session_id)
        assert end_session(services, caller, ended, "203.0.113.7") == Done()
        assert refresh(services, other.refresh_token, CLIENT) == RefreshRefused()
        assert authenticate(services, other.access_token) is BadToken.REVOKED
        assert devices(services, tokens) == ["Firefox (Linux)"]
        trail = [
            (row["customer_id"], row["client_ip"])
            for row in rows(services.database, audit)
            if row["kind"] == "sign-out"
        ]
        assert trail == [(caller.customer.id, "203.0.113.7")]
        assert end_session(services, caller, ended, CLIENT) == SessionUnknown()

    def test_may_be_the_own(self, services: Services, tokens: Tokens) -> None:
        """A customer can end the session of the request itself."""
        caller = caller_of(services, tokens)
        assert end_session(services, caller, str(caller.session_id), CLIENT) == Done()
        assert authenticate(services, tokens.access_token) is BadToken.REVOKED

    def test_is_of_the_caller_alone(self, services: Services, tokens: Tokens) -> None:
        """The id of another customer's session is answered like an unknown one, and nothing ends."""
        bob = caller_of(services, member(services, email="bob@example.org").tokens)
        for unknown in (str(caller_of(services, tokens).session_id), str(uuid4()), "", "garbage", "1", "\ud800" * 32):
            assert end_session(services, bob, unknown, CLIENT) == SessionUnknown()
        assert devices(services, tokens) == ["Firefox (Linux)"]

"""Devices: what a session remembers of the browser that signed in, and which sign-ins customers are told of."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Connection, delete, update

from registration.account.erasure import anonymize
from registration.account.erasure_proof import Wanted, prove
from registration.keys.secret import Secret
from registration.mail.rendering import MailKind
from registration.outcomes import Tokens
from registration.services import Services
from registration.sessions.devices import (
    LONGEST_PLACE,
    MAILS_OF_A_CUSTOMER,
    UNKNOWN,
    Device,
    device_mark,
    device_name,
    place_name,
)
from registration.storage.tables import mail, session
from tests.clock import Clock
from tests.registration.callers import caller_of
from tests.registration.forms import PASSWORD
from tests.registration.members import CLIENT, confirmed
from tests.registration.signing import sign_in
from tests.registration.stored import rows

ADA = "ada@example.org"
LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
LINUX_UPDATED = LINUX.replace("133", "134")
WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 "
    "Mobile/15E148 Safari/604.1"
)
MAC = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1"
)


def enter(services: Services, user_agent: str = LINUX, place: str = "", password: str = PASSWORD) -> Tokens | None:
    outcome = sign_in(services, ADA, password, CLIENT, Device(user_agent, place))
    return outcome if isinstance(outcome, Tokens) else None


def told(services: Services) -> int:
    """How many mails about a new device there are."""
    return [row["kind"] for row in rows(services.database, mail)].count(MailKind.NEW_DEVICE)


class TestName:
    @pytest.mark.parametrize(
        ("user_agent", "name"),
        [
            (LINUX, "Firefox (Linux)"),
            (WINDOWS, "Chrome (Windows)"),
            (WINDOWS + " Edg/131.0.0.0", "Edge (Windows)"),
            (WINDOWS + " OPR/116.0.0.0", "Opera (Windows)"),
            (IPHONE, "Safari (iPhone)"),
            (IPHONE.replace("Version/18.1", "CriOS/131.0.1"), "Chrome (iPhone)"),
            (MAC, "Safari (macOS)"),
            ("MyShop/3.1 (iPhone; iOS 18.1; Scale/3.00)", "iPhone"),
            ("Firefox/1", "Firefox"),
            ("okhttp/4.12.0", None),
            ("", None),
        ],
    )
    def test_is_that_of_browser_and_system(self, user_agent: str, name: str | None) -> None:
        """The name says which browser runs on which system, as far as the User-Agent tells."""
        assert device_name(Device(user_agent)) == name

    def test_has_known_words_only(self) -> None:
        """Nothing else of a User-Agent gets into the name, and so into mails; its end is not read."""
        evil = "Call +49 900 123 (Linux; see http://evil.example) Firefox/<b>"
        assert device_name(Device(evil)) == "Firefox (Linux)"
        assert device_name(Device("x" * 512 + LINUX)) is None

    @pytest.mark.parametrize(
        ("place", "shown"),
        [
            ("DE", "DE"),
            (" Köln,\u2028 NRW\x00 ", "Köln, NRW"),
            ("\u202e", None),
            ("", None),
            ("x" * 100, "x" * LONGEST_PLACE),
        ],
    )
    def test_of_a_place_is_bounded(self, place: str, shown: str | None) -> None:
        """A place has characters that can be seen, and fits its column."""
        assert place_name(Device(place=place)) == shown

    def test_is_in_no_repr(self) -> None:
        """The repr of a device, which a fault can show, has neither User-Agent nor place."""
        assert repr(Device(LINUX, "DE")) == "Device()"


class TestMark:
    def test_does_not_change_with_an_update(self) -> None:
        """The numbers of a User-Agent do not count; customer, place and secret do."""
        secret, ada, bob = Secret(b"1" * 32), UUID(int=1), UUID(int=2)
        mark = device_mark(secret, ada, Device(LINUX, "DE"))
        assert mark == device_mark(secret, ada, Device(LINUX_UPDATED, "DE"))
        others = {
            device_mark(secret, bob, Device(LINUX, "DE")),
            device_mark(secret, ada, Device(WINDOWS, "DE")),
            device_mark(secret, ada, Device(LINUX, "FR")),
            device_mark(Secret(b"2" * 32), ada, Device(LINUX, "DE")),
        }
        assert mark not in others
        assert len(others) == 4

    def test_is_stored_with_name_and_place(self, services: Services) -> None:
        """A session has the name, the place and the mark of its device, and no User-Agent."""
        ada = confirmed(services)
        enter(services, LINUX, "DE")
        (row,) = rows(services.database, session)
        mark = device_mark(services.secret, ada.id, Device(LINUX, "DE"))
        assert (row["device"], row["place"], row["device_mark"]) == ("Firefox (Linux)", "DE", mark)


class TestMail:
    def test_is_for_a_device_not_used_before(self, services: Services) -> None:
        """The first sign-in and known devices get no mail; another browser, system or place gets one, once."""
        confirmed(services)
        for user_agent, place, mails in (
            (LINUX, "DE", 0),
            (LINUX_UPDATED, "DE", 0),
            (WINDOWS, "DE", 1),
            (WINDOWS, "DE", 1),
            (LINUX, "DE", 1),
            (LINUX, "FR", 2),
            (LINUX, "FR", 2),
        ):
            assert enter(services, user_agent, place)
            assert told(services) == mails, (user_agent, place)

    def test_names_the_session(self, services: Services) -> None:
        """The mail belongs to the session that was opened, from which it gets device and place."""
        confirmed(services)
        enter(services)
        enter(services, WINDOWS)
        opened = {row["device"]: row["id"] for row in rows(services.database, session)}
        (row,) = (row for row in rows(services.database, mail) if row["kind"] == MailKind.NEW_DEVICE)
        assert row["token_id"] == opened["Chrome (Windows)"]

    def test_needs_the_right_password(self, services: Services) -> None:
        """A failed sign-in sends nothing: any client could flood the mailbox."""
        confirmed(services)
        enter(services)
        assert enter(services, WINDOWS, password="wrong") is None
        assert told(services) == 0

    def test_can_be_switched_off(self, services: Services) -> None:
        """With the setting off a new device gets no mail, but its session has its mark."""
        confirmed(services)
        silent = replace(services, new_device_mail=False)
        enter(silent)
        enter(silent, WINDOWS)
        assert told(services) == 0
        assert enter(services, WINDOWS)
        assert told(services) == 0

    def test_is_sent_to_an_old_account_without_sessions(self, services: Services, clock: Clock) -> None:
        """When the sessions of an old account are deleted, its next sign-in is not taken for the first one."""
        confirmed(services)
        clock.move(services.sessions.longest - timedelta(microseconds=1))
        enter(services)
        assert told(services) == 0
        forget_sessions(services)
        clock.move(timedelta(microseconds=1))
        enter(services)
        assert told(services) == 1

    def test_is_not_sent_where_devices_were_not_marked_yet(self, services: Services) -> None:
        """A customer with a session of before the marks is not told of the device that is used every day."""
        confirmed(services)
        enter(services)
        services.database.write(lambda connection: connection.execute(update(session).values(device_mark=None)))
        enter(services, WINDOWS)
        assert told(services) == 0

    def test_survives_a_rotation_of_the_secret(self, services: Services) -> None:
        """A device that was marked under the former secret is known during a rotation."""
        confirmed(services)
        enter(services)
        rotated = replace(services, secret=Secret(b"n" * 32, previous=services.secret))
        enter(rotated)
        enter(rotated)
        assert told(services) == 0

    def test_is_limited(self, services: Services, clock: Clock) -> None:
        """A client with the password that names ever other devices causes five mails an hour."""
        confirmed(services)
        for letter in "abcdefgh":
            enter(services, letter)
        assert told(services) == MAILS_OF_A_CUSTOMER.count
        clock.move(timedelta(hours=1))
        enter(services, "i")
        assert told(services) == MAILS_OF_A_CUSTOMER.count + 1


def forget_sessions(services: Services) -> None:
    def work(connection: Connection) -> None:
        connection.execute(delete(session))

    services.database.write(work)


def test_erasure_leaves_no_device(services: Services) -> None:
    """After an erasure no session, place or device is left, and the proof finds none."""
    ada = confirmed(services)
    tokens = enter(services, LINUX, "Atlantis")
    assert tokens
    anonymize(services, caller_of(services, tokens), None, CLIENT)
    assert rows(services.database, session) == []
    looked = prove(services.database, services.secret, ada.reference, Wanted([], ["Firefox (Linux)", "Atlantis"]))
    assert isinstance(looked, list)
    assert {place.place: place.found for place in looked if place.found} == {}


def test_a_sign_in_without_a_device_is_one_of_an_unknown_device(services: Services) -> None:
    """Callers that know no device get a session without a name."""
    confirmed(services)
    sign_in(services, ADA, PASSWORD, CLIENT)
    (row,) = rows(services.database, session)
    assert (row["device"], row["place"]) == (device_name(UNKNOWN), None) == (None, None)

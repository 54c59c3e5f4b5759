"""Confirmation: a key confirms once, the owner of the mailbox can disown the account, and no answer tells of others."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, Event

import pytest
from sqlalchemy import Connection, delete, select, update

from harness.lossy_connection import Proxy
from registration.addresses.pending import erase_pending, is_pending
from registration.outcomes import (
    Accepted,
    Confirmed,
    Disowned,
    EmailTaken,
    Invalid,
    Registered,
    TokenRefused,
    TooManyAttempts,
    Violation,
    ViolationCode,
)
from registration.services import Services
from registration.signing_up.confirmation import (
    PendingSignUp,
    confirm,
    disown,
    pending_sign_up,
    resend_confirmation,
)
from registration.storage.database import Unavailable
from registration.storage.tables import audit, confirmation_token, customer, email_claim, event, mail
from tests.clock import Clock
from tests.registration.forms import request
from tests.registration.members import CLIENT
from tests.registration.signing import sign_in, sign_up
from tests.registration.stored import WAITING, counts, customers, keys, rows
from tests.waiting import PATIENCE, eventually, wait_for

KEY = "idempotency-key-1"
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)
NO_KEYS = ["", "0" * 32, "x", "\ud800", "\x00", "k" * 1_000_000, "' OR 1=1 --"]


@pytest.fixture
def key(services: Services) -> str:
    """The key in the mail of a customer that just signed up."""
    assert isinstance(sign_up(services, request(idempotencyKey=KEY)), Registered)
    (key,) = keys(services.database, services.secret)
    return key


def newest_key(services: Services) -> str:
    return keys(services.database, services.secret)[-1]


def erase(connection: Connection) -> None:
    erase_pending(connection, connection.execute(select(customer.c.id)).scalar_one())


def mark_as_confirmed(connection: Connection) -> None:
    connection.execute(update(customer).values(confirmed_at=datetime.now(UTC)))
    connection.execute(delete(confirmation_token))


def happened(services: Services) -> list[str]:
    return sorted(row["kind"] for row in rows(services.database, event))


class TestConfirm:
    def test_confirms_the_customer(self, services: Services, clock: Clock, key: str) -> None:
        """A key confirms its customer from this moment on, writes an event and is deleted."""
        clock.move(MINUTE)
        outcome = confirm(services, key)
        assert isinstance(outcome, Confirmed)
        assert outcome.customer.confirmed_at == outcome.customer.updated_at == clock()
        assert outcome.customer.created_at == clock() - MINUTE
        assert rows(services.database, customer)[0]["confirmed_at"] == clock()
        assert happened(services) == ["customer.confirmed", "customer.created"]
        assert counts(services.database).get("confirmation_token") is None

    def test_works_once(self, services: Services, key: str) -> None:
        """A key that has confirmed is refused, and the second use changes nothing."""
        confirm(services, key)
        assert confirm(services, key) == TokenRefused()
        assert happened(services) == ["customer.confirmed", "customer.created"]

    def test_works_once_of_many_at_once(self, services: Services, key: str) -> None:
        """Of ten uses of a key at once one confirms."""
        with ThreadPoolExecutor(10) as threads:
            outcomes = list(threads.map(lambda _: confirm(services, key), range(10)))
        assert outcomes.count(TokenRefused()) == 9
        assert happened(services) == ["customer.confirmed", "customer.created"]

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    def test_lost_answer_is_no_refusal(self, behind_proxy: tuple[Services, Proxy]) -> None:
        """A confirmation whose commit is not acknowledged is not told to be refused: it may have been stored."""
        services, proxy = behind_proxy
        sign_up(services, request())
        (key,) = keys(services.database, services.secret)
        proxy.lose_next_commit()
        with pytest.raises(Unavailable):
            confirm(services, key)
        assert proxy.lost == 1
        assert [row["confirmed_at"] for row in rows(services.database, customer)] != [None]

    def test_works_until_the_key_expires(self, services: Services, clock: Clock, key: str) -> None:
        """A key confirms a microsecond before it expires, and is refused like an unknown one when it expires."""
        clock.move(DAY)
        assert confirm(services, key) == TokenRefused()
        clock.move(-TICK)
        assert isinstance(confirm(services, key), Confirmed)

    @pytest.mark.parametrize("wrong", NO_KEYS)
    def test_wrong_keys_are_refused(self, services: Services, key: str, wrong: str) -> None:
        """Texts that are not the key are refused without an exception, and the key still confirms."""
        assert confirm(services, wrong) == TokenRefused()
        assert isinstance(confirm(services, key), Confirmed)

    def test_key_is_compared_exactly(self, services: Services, key: str) -> None:
        """A key in upper case or with a space is refused: keys are copied, not typed."""
        assert confirm(services, key.upper()) == confirm(services, f"{key} ") == TokenRefused()

    def test_works_after_confirmation_was_switched_off(self, services: Services, key: str) -> None:
        """A key that was mailed before confirmation was switched off still confirms."""
        assert isinstance(confirm(replace(services, confirmation=None), key), Confirmed)


class TestPendingSignUp:
    def test_shows_the_name_and_the_time_of_the_sign_up(self, services: Services, clock: Clock, key: str) -> None:
        """A key shows the address, the name and the time of its sign-up, and showing them changes nothing."""
        before = counts(services.database)
        expected = PendingSignUp("ada@example.org", "Ada", "Beispiel", clock())
        assert pending_sign_up(services, key) == pending_sign_up(services, key) == expected
        assert counts(services.database) == before
        assert isinstance(confirm(services, key), Confirmed)

    def test_shows_nothing_without_a_good_key(self, services: Services, clock: Clock, key: str) -> None:
        """Unknown, expired and used keys all show None."""
        assert [pending_sign_up(services, wrong) for wrong in NO_KEYS] == [None] * len(NO_KEYS)
        clock.move(DAY)
        assert pending_sign_up(services, key) is None
        clock.move(-DAY)
        confirm(services, key)
        assert pending_sign_up(services, key) is None


class TestDisown:
    def test_erases_the_account_and_frees_the_address(self, services: Services, key: str) -> None:
        """Disowning leaves only events, audit rows and used keys, without personal data, and frees the address."""
        assert disown(services, key) == Disowned()
        assert counts(services.database) == {"event": 2, "audit": 2, "used_key": 1}
        assert happened(services) == ["customer.created", "customer.disowned"]
        assert isinstance(sign_up(services, request(firstName="Zoe")), Registered)
        assert customers(services.database) == [("ada@example.org", "Zoe")]

    def test_works_once(self, services: Services, key: str) -> None:
        """A key that has disowned its account is refused afterwards."""
        disown(services, key)
        assert disown(services, key) == confirm(services, key) == TokenRefused()
        assert happened(services) == ["customer.created", "customer.disowned"]

    def test_records_of_other_addresses_stay(self, services: Services, key: str) -> None:
        """Disowning empties the records of failed sign-ins with its address only, whichever accounts there are."""
        others = ["bob@example.org", "eve@example.org"]
        for email in others:
            sign_in(services, email, "wrong", CLIENT)
        sign_up(services, request(email=others[0]))
        disown(services, key)
        recorded = [row["email_key"] for row in rows(services.database, audit) if row["kind"] == "sign-in failure"]
        assert sorted(recorded) == others

    def test_unknown_and_expired_keys_erase_nothing(self, services: Services, clock: Clock, key: str) -> None:
        """Disowning with an unknown or an expired key is refused and erases nothing."""
        before = counts(services.database)
        assert {disown(services, wrong) for wrong in NO_KEYS} == {TokenRefused()}
        clock.move(DAY)
        assert disown(services, key) == TokenRefused()
        assert counts(services.database) == before

    def test_a_confirmed_customer_is_not_erased(self, services: Services, clock: Clock, key: str) -> None:
        """No key of a confirmed customer disowns the account, not even one whose row was left behind."""
        resend_confirmation(services, "ada@example.org", CLIENT)
        other = newest_key(services)
        left_behind = rows(services.database, confirmation_token)
        confirm(services, key)
        services.database.write(
            lambda connection: connection.execute(confirmation_token.insert().values(left_behind)).close()
        )
        assert disown(services, key) == disown(services, other) == TokenRefused()
        assert customers(services.database) == [("ada@example.org", "Ada")]
        assert happened(services) == ["customer.confirmed", "customer.created"]

    @pytest.mark.parametrize("turn", range(5))
    def test_confirming_and_disowning_at_once_have_one_winner(self, services: Services, key: str, turn: int) -> None:
        """When one key confirms and another disowns at once, one is refused, in whatever order the engine runs them."""
        resend_confirmation(services, "ada@example.org", CLIENT)
        pairs = [(confirm, key), (disown, newest_key(services))][:: 1 if turn % 2 else -1]
        barrier = Barrier(2, timeout=PATIENCE)

        def click(pair: tuple[Callable[[Services, str], object], str]) -> object:
            barrier.wait()
            return pair[0](services, pair[1])

        with ThreadPoolExecutor(2) as threads:
            outcomes = list(threads.map(click, pairs))
        assert outcomes.count(TokenRefused()) == 1
        left = 0 if Disowned() in outcomes else 1
        assert (len(rows(services.database, customer)), len(rows(services.database, email_claim))) == (left, left)


class TestResend:
    def test_enqueues_a_mail_with_another_key(self, services: Services, clock: Clock, key: str) -> None:
        """A resend mails another key with a whole lifetime, and both keys work until one is used."""
        clock.move(DAY - MINUTE)
        assert resend_confirmation(services, "ADA@example.org", CLIENT) == Accepted()
        other = newest_key(services)
        assert other != key
        assert {row["kind"] for row in rows(services.database, mail)} == {"confirmation"}
        assert pending_sign_up(services, key) == pending_sign_up(services, other) is not None
        clock.move(DAY - TICK)
        assert sign_up(services, request()) == EmailTaken()
        assert isinstance(confirm(services, other), Confirmed)
        assert confirm(services, key) == TokenRefused()

    def test_revives_an_expired_sign_up(self, services: Services, clock: Clock, key: str) -> None:
        """A resend for an expired account that was not replaced mails a key that confirms it."""
        clock.move(10 * DAY)
        assert resend_confirmation(services, "ada@example.org", CLIENT) == Accepted()
        assert confirm(services, key) == TokenRefused()
        assert isinstance(confirm(services, newest_key(services)), Confirmed)

    def test_outcomes_do_not_tell_whether_the_address_is_known(
        self, services: Services, clock: Clock, key: str
    ) -> None:
        """Pending, confirmed and unknown addresses have the same outcome and count; only a pending one is mailed."""
        sign_up(services, request(email="zoe@example.org"))
        confirm(services, newest_key(services))
        before = counts(services.database)
        addresses = ["ada@example.org", "zoe@example.org", "unknown@example.org"]
        assert [resend_confirmation(services, address, CLIENT) for address in addresses] == [Accepted()] * 3
        assert [resend_confirmation(services, address, CLIENT) for address in addresses] == [TooManyAttempts(60)] * 3
        assert counts(services.database) == before | {
            "attempt": 2 * len(addresses),
            "mail": before["mail"] + 1,
            "confirmation_token": before["confirmation_token"] + 1,
        }
        assert keys(services.database, services.secret).count(key) == 1

    @pytest.mark.parametrize("is_known", [True, False])
    def test_is_limited_per_address(self, services: Services, clock: Clock, *, is_known: bool) -> None:
        """An address has one resend a minute and five a day, in any spelling, whether or not an account has it."""
        if is_known:
            sign_up(services, request())
        spellings = ["ada@example.org", "ADA@example.org", "ada@EXAMPLE.ORG", "ada@ｅxample.org", "Ada@example.org"]
        for spelling in spellings:
            assert resend_confirmation(services, spelling, CLIENT) == Accepted()
            clock.move(MINUTE - TICK)
            assert resend_confirmation(services, "ada@example.org", CLIENT) == TooManyAttempts(1)
            clock.move(TICK)
        assert resend_confirmation(services, "ada@example.org", CLIENT) == TooManyAttempts(86_400 - 300)
        clock.move(DAY - 5 * MINUTE - TICK)
        assert resend_confirmation(services, "ada@example.org", CLIENT) == TooManyAttempts(1)
        clock.move(MINUTE)
        assert resend_confirmation(services, "ada@example.org", CLIENT) == Accepted()
        assert counts(services.database).get("mail", 0) == (7 if is_known else 0)

    def test_one_of_many_at_once_is_allowed(self, services: Services, key: str) -> None:
        """Of ten resends for an address at once one is accepted and makes one mail."""
        with ThreadPoolExecutor(10) as threads:
            outcomes = list(threads.map(lambda _: resend_confirmation(services, "ada@example.org", CLIENT), range(10)))
        assert outcomes.count(Accepted()) == 1
        assert len(set(keys(services.database, services.secret)) - {key}) == 1

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    @pytest.mark.parametrize("change", [erase, mark_as_confirmed])
    def test_writes_no_key_for_an_account_that_changes_meanwhile(
        self, services: Services, key: str, change: Callable[[Connection], object]
    ) -> None:
        """A resend that waits while the account is erased or confirmed leaves no key behind."""
        is_held = Event()

        def work(connection: Connection) -> None:
            connection.execute(select(customer).with_for_update()).close()
            is_held.set()
            eventually(lambda: connection.exec_driver_sql(WAITING).fetchall())
            change(connection)

        with ThreadPoolExecutor(2) as threads:
            changing = threads.submit(services.database.write, work)
            wait_for(is_held)
            resending = threads.submit(resend_confirmation, services, "ada@example.org", CLIENT)
            assert changing.result() is None
            assert resending.result() == Accepted()
        assert set(keys(services.database, services.secret)) <= {key}
        assert rows(services.database, confirmation_token) == []

    @pytest.mark.parametrize(
        ("email", "code"),
        [
            *(("ada", ViolationCode.NOT_AN_EMAIL), ("", ViolationCode.BLANK), (None, ViolationCode.BLANK)),
            (5, ViolationCode.NOT_A_STRING),
        ],
    )
    def test_text_that_is_no_address_is_invalid(self, services: Services, email: object, code: ViolationCode) -> None:
        """A resend for a text that cannot be an address is answered Invalid and not counted."""
        assert resend_confirmation(services, email, CLIENT) == Invalid((Violation("email", code),))
        assert counts(services.database) == {}

    def test_enqueues_nothing_when_confirmation_is_off(self, services: Services, key: str) -> None:
        """Where confirmation is switched off a resend is accepted, and no mail is enqueued."""
        unconfirmed = replace(services, confirmation=None)
        assert resend_confirmation(unconfirmed, "ada@example.org", CLIENT) == Accepted()
        assert keys(services.database, services.secret) == [key]


def test_pending_means_that_a_key_still_works(services: Services, clock: Clock, key: str) -> None:
    """An account is pending until the last of its keys has expired."""
    (row,) = rows(services.database, email_claim)

    def pending() -> bool:
        return services.database.read(lambda connection: is_pending(connection, row["customer_id"], clock()))

    clock.move(MINUTE)
    resend_confirmation(services, "ada@example.org", CLIENT)
    clock.move(DAY - TICK)
    assert pending()
    assert pending_sign_up(services, key) is None
    clock.move(TICK)
    assert not pending()


def test_no_table_holds_a_key(services: Services, key: str) -> None:
    """No table holds the key, so a reader of the database can confirm no account."""
    everything = [
        services.database.read(lambda connection: connection.execute(select(table)).all())  # noqa: B023
        for table in confirmation_token.metadata.sorted_tables
    ]
    assert key not in str(everything)

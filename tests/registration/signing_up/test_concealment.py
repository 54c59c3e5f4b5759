"""Conceal mode: a known and an unknown address have the same outcome, the same statements and as many new rows."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Connection

from registration.account.email_change import confirm_email_change
from registration.account.erasure import erase_confirmed
from registration.account.erasure_proof import CannotProve, Wanted, prove
from registration.account.profile import update_profile
from registration.addresses.decoys import decoy_address
from registration.language import Language
from registration.outcomes import (
    Accepted,
    BadCredentials,
    Confirmed,
    Done,
    EmailTaken,
    IdempotencyConflict,
    Invalid,
    Registered,
    SignUpAccepted,
    TokenRefused,
    Tokens,
    Updated,
)
from registration.passwords.reset import request_reset, reset
from registration.records import audit
from registration.services import Services
from registration.signing_up.confirmation import confirm, resend_confirmation
from registration.storage import tables
from registration.storage.tables import (
    confirmation_token,
    customer,
    email_change,
    email_claim,
    event,
    idempotency,
    mail,
)
from registration.texts import Text
from tests.clock import Clock
from tests.registration.callers import caller_of
from tests.registration.forms import PASSWORD, request
from tests.registration.members import CLIENT, confirmed, member
from tests.registration.post import Deliver, deliver, key_in, text_of
from tests.registration.signing import sign_in, sign_up
from tests.registration.statements import statements_of
from tests.registration.stored import WAITING, counts, customers, rows
from tests.registration.tidying import tidied
from tests.waiting import eventually, wait_for

ADA, BOB = "ada@example.org", "bob@example.org"
KEY = "idempotency-key-1"
DAY, HOUR, TICK = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)
TOLD = "There is an account with this address already"
FORM_OF_A_SIGN_UP = request(email=ADA, firstName="Eve", password="another horse", confirmPassword="another horse")


@pytest.fixture
def services(services: Services) -> Services:
    services.references.draw()  # so that no sign-up below is the one that draws a block
    return replace(services, conceal=True)


@pytest.fixture
def arrived(services: Services, tmp_path: Path) -> Deliver:
    """Sends the mails that are due; returns the messages that arrived since the last call."""
    return lambda: deliver(services, tmp_path / "mail")


def unknown(_services: Services, _clock: Clock) -> None:
    """No account has the address."""


def pending(services: Services, _clock: Clock) -> None:
    sign_up(services, request())


def expired(services: Services, clock: Clock) -> None:
    sign_up(services, request())
    clock.move(DAY)


def known(services: Services, _clock: Clock) -> None:
    confirmed(services)


State = Callable[[Services, Clock], None]
STATES: list[State] = [unknown, pending, expired, known]

Work = Callable[[], object]
OPERATIONS: Mapping[str, Callable[[Services], Work]] = {
    "sign-up": lambda services: lambda: sign_up(services, FORM_OF_A_SIGN_UP),
    "sign-up with a key": lambda services: lambda: sign_up(services, request(email=ADA, idempotencyKey=KEY)),
    "resend": lambda services: lambda: resend_confirmation(services, ADA, CLIENT),
    "reset": lambda services: lambda: request_reset(services, ADA, CLIENT),
    "change of address": lambda services: _change(services, ADA),
}


def _change(services: Services, email: str) -> Work:
    """A change of the signed-in customer Bob's address to this one."""
    caller = caller_of(services, member(services, email=BOB).tokens)
    return lambda: update_profile(services, caller, {"email": email}, CLIENT)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_outcome_and_statements_are_the_same(services: Services, clock: Clock, operation: str) -> None:
    """Each operation has the same outcome and statements for an unknown, pending, expired and confirmed address."""
    seen = []
    for state in STATES:
        fresh = emptied(services)
        state(fresh, clock)
        work = OPERATIONS[operation](fresh)
        outcome, statements = statements_of(work)
        if isinstance(outcome, Updated):  # whose moments are those of the clock
            outcome = (outcome.pending_email, outcome.confirm_before == clock.now + DAY, outcome.customer.email)
        if isinstance(outcome, SignUpAccepted):  # the handle of each is its own
            outcome = len(outcome.handle)
        seen.append((state.__name__, outcome, statements))
    assert len(seen[0][2]) >= 5
    for name, *others in seen:
        assert others == [*seen[0][1:]], name


@pytest.mark.parametrize("operation", OPERATIONS)
def test_as_many_rows_are_written(services: Services, clock: Clock, operation: str) -> None:
    """Each operation adds as many rows to every table for an unknown, a pending and a confirmed address."""
    seen = []
    for state in (unknown, pending, known):
        fresh = emptied(services)
        state(fresh, clock)
        work = OPERATIONS[operation](fresh)
        before = counts(fresh.database)
        work()
        after = counts(fresh.database)
        seen.append(
            {name: number - before.get(name, 0) for name, number in after.items() if number != before.get(name)}
        )
    for grown in seen:
        assert {name: number for name, number in grown.items() if number} == seen[0]


def emptied(services: Services) -> Services:
    """The same installation before its first customer."""

    def work(connection: Connection) -> None:
        for table in customer.metadata.sorted_tables:
            if table.name != "counter":
                connection.execute(table.delete())

    services.database.write(work)
    return services


def post(messages: list[EmailMessage]) -> list[tuple[str, str]]:
    """The recipient and the subject of each message."""
    return [(message["To"], message["Subject"]) for message in messages]


class TestSignUp:
    def test_a_new_customer_is_registered(self, services: Services, arrived: Deliver) -> None:
        """In conceal mode a new customer gets a mail, confirms with its link and can then sign in."""
        assert isinstance(sign_up(services, request()), SignUpAccepted)
        [message] = arrived()
        assert (message["To"], message["Subject"]) == (ADA, "Please confirm your e-mail address")
        assert isinstance(confirm(services, key_in(message, "register/confirm"), CLIENT), Confirmed)
        assert isinstance(sign_in(services, ADA, PASSWORD, CLIENT), Tokens)

    def test_violations_are_told(self, services: Services) -> None:
        """In conceal mode a sign-up that breaks a rule is Invalid: that does not tell which addresses are known."""
        assert isinstance(sign_up(services, request(firstName="")), Invalid)
        assert counts(services.database) == {}

    @pytest.mark.parametrize("state", [pending, known])
    def test_the_holder_keeps_the_address(self, services: Services, clock: Clock, state: State) -> None:
        """A repeated sign-up leaves the holder's name and password as they are, and its own data is stored nowhere."""
        state(services, clock)
        sign_up(services, FORM_OF_A_SIGN_UP)
        assert (ADA, "Ada") in [(row["email"], row["first_name"]) for row in rows(services.database, customer)]
        everything = [rows(services.database, table) for table in customer.metadata.sorted_tables]
        assert "Eve" not in str(everything)
        assert sign_in(services, ADA, "another horse", CLIENT) == BadCredentials()

    def test_an_expired_account_is_replaced(self, services: Services, clock: Clock, arrived: Deliver) -> None:
        """In conceal mode a sign-up replaces an expired account and is mailed a link."""
        expired(services, clock)
        arrived()
        sign_up(services, FORM_OF_A_SIGN_UP)
        assert customers(services.database) == [(ADA, "Eve")]
        assert post(arrived()) == [(ADA, "Please confirm your e-mail address")]

    def test_records_name_the_holder(self, services: Services, clock: Clock) -> None:
        """The event and the audit row of a repeated sign-up name the account that has the address, not the decoy."""
        known(services, clock)
        sign_up(services, FORM_OF_A_SIGN_UP)
        (holder,) = (row["id"] for row in rows(services.database, customer) if row["email"] == ADA)
        kinds = {row["kind"] for row in rows(services.database, event) if row["customer_id"] == holder}
        assert kinds == {"customer.created", "customer.confirmed", "customer.sign_up_repeated"}
        assert {row["customer_id"] for row in rows(services.database, event)} == {holder}
        trail = [row["kind"] for row in rows(services.database, tables.audit) if row["customer_id"] == holder]
        assert sorted(trail) == ["confirm", "sign-up", "sign-up repeated"]

    def test_of_many_at_once_one_is_registered(self, services: Services, arrived: Deliver) -> None:
        """Twenty sign-ups at once for one address are all Accepted; one link and one notice arrive."""
        with ThreadPoolExecutor(20) as threads:
            outcomes = list(threads.map(lambda name: sign_up(services, request(firstName=str(name))), range(20)))
        assert {type(outcome) for outcome in outcomes} == {SignUpAccepted}
        assert sum(row["first_name"] is not None for row in rows(services.database, customer)) == 1
        assert post(arrived()) == [(ADA, "Please confirm your e-mail address"), (ADA, TOLD)]

    def test_of_many_at_once_one_replaces_an_expired_one(self, services: Services, clock: Clock) -> None:
        """Of twenty sign-ups at once for an expired address one replaces the account, and nineteen write decoys."""
        expired(services, clock)
        with ThreadPoolExecutor(20) as threads:
            list(threads.map(lambda name: sign_up(services, request(firstName=str(name))), range(20)))
        [name] = [row["first_name"] for row in rows(services.database, customer) if row["first_name"]]
        assert name != "Ada"
        assert len(rows(services.database, customer)) == len(rows(services.database, email_claim)) == 20

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    def test_an_address_that_is_being_claimed_is_waited_for(self, services: Services) -> None:
        """A sign-up waits for a transaction that claims the address after the look-up, and then finds it taken."""
        other = services.new_id()

        def take(connection: Connection) -> None:
            connection.execute(email_claim.insert().values(address=ADA, customer_id=other))
            is_taken.set()
            eventually(lambda: connection.exec_driver_sql("SELECT FROM pg_locks WHERE NOT granted").fetchall())

        is_taken = Event()
        with ThreadPoolExecutor(2) as threads:
            taking = threads.submit(services.database.write, take)
            wait_for(is_taken)
            assert isinstance(threads.submit(sign_up, services, request()).result(), SignUpAccepted)
            taking.result()
        claims = {row["address"]: row["customer_id"] for row in rows(services.database, email_claim)}
        assert claims.pop(ADA) == other
        assert len(claims) == 1

    @pytest.mark.parametrize("state", [unknown, known])
    def test_a_second_run_writes_nothing(self, services: Services, clock: Clock, state: State) -> None:
        """A transaction that runs again because the answer to its commit was lost writes no further row."""
        state(services, clock)
        same_id = services.new_id()
        again = replace(services, new_id=lambda: same_id)
        sign_up(again, FORM_OF_A_SIGN_UP)
        before = counts(services.database)
        assert isinstance(sign_up(again, FORM_OF_A_SIGN_UP), SignUpAccepted)
        assert counts(services.database) == before


class TestDecoy:
    def test_holds_nothing_of_a_person(self, services: Services, clock: Clock) -> None:
        """A decoy holds no name, birthday, address or password hash of the client that signed up."""
        known(services, clock)
        sign_up(services, request(firstName="Eve", dateOfBirth="1984-05-17"))
        [decoy] = [row for row in rows(services.database, customer) if row["email"] != ADA]
        [other] = [row for row in rows(services.database, customer) if row["email"] == ADA]
        assert decoy["email"] == decoy_address(decoy["id"])
        personal = ("salutation", "first_name", "last_name", "gender", "date_of_birth", "confirmed_at")
        assert [decoy[column] for column in personal] == [None] * len(personal)
        assert set(decoy["password_hash"]) == {"*"}
        assert len(decoy["password_hash"]) == len(other["password_hash"])

    def test_cannot_sign_in_or_be_confirmed(self, services: Services, clock: Clock) -> None:
        """A decoy's address does not sign in, and no mail with a key is enqueued for it."""
        known(services, clock)
        sign_up(services, FORM_OF_A_SIGN_UP)
        [address] = [row["email"] for row in rows(services.database, customer) if row["email"] != ADA]
        assert sign_in(services, address, "another horse", CLIENT) == BadCredentials()
        assert [row["token_id"] for row in rows(services.database, mail)][1:] == [None]

    def test_has_no_trail_and_no_proof(self, services: Services, clock: Clock) -> None:
        """A decoy's reference is unknown to the audit trail and to the erasure proof."""
        known(services, clock)
        sign_up(services, FORM_OF_A_SIGN_UP)
        [reference] = [row["reference"] for row in rows(services.database, customer) if row["email"] != ADA]
        assert services.database.read(lambda connection: audit.trail(connection, reference)) is None
        proof = prove(services.database, services.secret, reference, Wanted([], []))
        assert proof == CannotProve(f"no customer has the reference {reference}")

    def test_is_deleted_by_housekeeping(self, services: Services, clock: Clock) -> None:
        """Housekeeping deletes decoys with their claims in batches, and no customer, erased or not."""
        known(services, clock)
        confirmed(services, email=BOB)
        for _ in range(5):
            sign_up(services, FORM_OF_A_SIGN_UP)
        erased = customer.update().where(customer.c.email == BOB).values(anonymized_at=clock.now, email="gone")
        services.database.write(lambda connection: connection.execute(erased))
        assert tidied(services.database, clock.now, limit=3) == [3, 2]
        assert sorted(row["email"] for row in rows(services.database, customer)) == [ADA, "gone"]
        assert sorted(row["address"] for row in rows(services.database, email_claim)) == [ADA, BOB]

    def test_is_found_by_an_index(self, services: Services) -> None:
        """The engine finds decoys by an index of their own instead of reading all customers."""
        is_decoy = "SELECT id FROM customer WHERE anonymized_at IS NOT NULL AND confirmed_at IS NULL LIMIT 500"

        def plan(connection: Connection) -> str:
            if connection.dialect.name == "sqlite":
                return str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {is_decoy}").fetchall())
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # which is faster while the table is empty
            return str(connection.exec_driver_sql(f"EXPLAIN {is_decoy}").fetchall())

        assert "ix_customer_shadow" in services.database.write(plan)


class TestReplay:
    @pytest.mark.parametrize("state", [unknown, pending, known])
    def test_is_accepted_again_without_another_mail(
        self, services: Services, clock: Clock, arrived: Deliver, state: State
    ) -> None:
        """In conceal mode a replay is Accepted and writes no row, whether or not an account has the address."""
        state(services, clock)
        arrived()
        repeated = request(email=ADA, firstName="Eve", idempotencyKey=KEY)
        assert isinstance(sign_up(services, repeated), SignUpAccepted)
        assert len(arrived()) == 1
        before = counts(services.database)
        assert isinstance(sign_up(services, repeated), SignUpAccepted)
        assert counts(services.database) == before

    @pytest.mark.parametrize("state", [unknown, known])
    def test_other_input_is_a_conflict(self, services: Services, clock: Clock, state: State) -> None:
        """A used key with other input is a conflict, whether or not an account has the address."""
        state(services, clock)
        sign_up(services, request(idempotencyKey=KEY))
        assert sign_up(services, request(firstName="Eve", idempotencyKey=KEY)) == IdempotencyConflict()

    def test_reads_only_the_record(self, services: Services, clock: Clock) -> None:
        """In conceal mode a replay reads only the idempotency record, whether or not an account has the address."""
        said = []
        for state in (unknown, known):
            state(emptied(services), clock)
            repeated = request(idempotencyKey=KEY)
            sign_up(services, repeated)
            said.append(statements_of(lambda: sign_up(services, repeated))[1])  # noqa: B023 - called at once
        assert said[0] == said[1]
        (looked,) = (statement for statement in said[0] if "FROM" in statement)
        assert "FROM idempotency" in looked

    def test_the_first_outcome_survives_a_change_of_mode(self, services: Services, clock: Clock) -> None:
        """After a change to reveal mode a concealed refusal is answered EmailTaken, a registration Registered."""
        known(services, clock)
        revealing = replace(services, conceal=False)
        sign_up(services, request(idempotencyKey=KEY))
        assert sign_up(revealing, request(idempotencyKey=KEY)) == EmailTaken()
        sign_up(services, request(email=BOB, idempotencyKey=2 * KEY))
        outcome = sign_up(revealing, request(email=BOB, idempotencyKey=2 * KEY))
        assert isinstance(outcome, Registered)
        assert outcome.customer.email == BOB

    def test_the_record_names_the_row_of_the_sign_up(self, services: Services) -> None:
        """The idempotency record has the id of the new customer or of the decoy: a replay answers the same handle."""
        sign_up(services, request(idempotencyKey=KEY))
        sign_up(services, request(idempotencyKey=2 * KEY))
        owners = {row["customer_id"] for row in rows(services.database, idempotency)}
        assert owners == {row["id"] for row in rows(services.database, customer)}
        assert len(owners) == 2


class TestNotice:
    @pytest.mark.parametrize("language", Language)
    def test_says_that_there_is_an_account(
        self, services: Services, clock: Clock, arrived: Deliver, language: Language
    ) -> None:
        """The notice goes to the stored address in the account's language, with no link and no word of the sign-up."""
        sign_up(services, replace(request(), language=language))
        confirm(services, key_in(arrived()[0], "register/confirm"), CLIENT)
        sign_up(services, request(email=ADA.upper(), firstName="Eve"))
        [message] = arrived()
        assert message["To"] == ADA
        assert message["Content-Language"] == language
        words = text_of(message)
        how = Text(
            "If it was you, sign in as always. If you do not know the password any more, ask for a new one at %(site)s."
        )
        assert " ".join((how[language] % {"site": "shop.example"}).split()) in " ".join(words.split())
        assert "token=" not in message.as_string()
        assert "Eve" not in message.as_string()

    @pytest.mark.parametrize(
        ("language", "words"),
        [(Language.EN, "still waits for its confirmation"), (Language("de"), "wartet noch auf seine Bestätigung")],
    )
    def test_says_that_the_account_is_not_confirmed(
        self, services: Services, arrived: Deliver, language: Language, words: str
    ) -> None:
        """The notice of a pending account has no key: another client may have chosen its password. A reset has one."""
        sign_up(services, replace(request(), language=language))
        arrived()
        sign_up(services, FORM_OF_A_SIGN_UP)
        [message] = arrived()
        assert words in text_of(message)
        assert "token=" not in message.as_string()
        request_reset(services, ADA, CLIENT)
        form = {"token": key_in(arrived()[0], "password/restore"), "password": "my own", "confirmPassword": "my own"}
        assert reset(services, form | {"password": "mine alone", "confirmPassword": "mine alone"}, CLIENT) == Done()
        assert isinstance(sign_in(services, ADA, "mine alone", CLIENT), Tokens)

    def test_comes_once_an_hour(self, services: Services, clock: Clock, arrived: Deliver) -> None:
        """A customer gets one notice an hour, in however many ways the address is used."""
        known(services, clock)
        change = _change(services, ADA)
        arrived()
        for use in (
            lambda: sign_up(services, FORM_OF_A_SIGN_UP),
            lambda: resend_confirmation(services, ADA, CLIENT),
            change,
        ):
            use()
        assert post(arrived()).count((ADA, TOLD)) == 1
        clock.move(HOUR - TICK)
        sign_up(services, FORM_OF_A_SIGN_UP)
        assert arrived() == []
        clock.move(TICK)
        sign_up(services, FORM_OF_A_SIGN_UP)
        assert post(arrived()) == [(ADA, TOLD)]
        reasons = [row["reason"] for row in rows(services.database, mail) if row["status"] == "dropped"]
        assert reasons.count("the customer was told less than 1:00:00 ago") == 3

    def test_the_hour_begins_when_the_notice_is_sent(self, services: Services, clock: Clock, arrived: Deliver) -> None:
        """The hour begins when the notice is sent: a relay that was down does not send two at once."""
        known(services, clock)
        arrived()
        sign_up(services, FORM_OF_A_SIGN_UP)
        clock.move(3 * HOUR)
        sign_up(services, FORM_OF_A_SIGN_UP)
        assert post(arrived()) == [(ADA, TOLD)]
        clock.move(HOUR - TICK)
        sign_up(services, FORM_OF_A_SIGN_UP)
        assert arrived() == []

    def test_each_customer_is_told(self, services: Services, arrived: Deliver) -> None:
        """A notice to one customer does not suppress that to another."""
        for email in (ADA, BOB):
            confirmed(services, email=email)
            sign_up(services, request(email=email))
        assert {(to, TOLD) for to in (ADA, BOB)} <= set(post(arrived()))

    def test_an_erased_customer_gets_no_notice(self, services: Services, clock: Clock, arrived: Deliver) -> None:
        """A customer who is erased before the notice is sent does not get it."""
        known(services, clock)
        arrived()
        sign_up(services, FORM_OF_A_SIGN_UP)
        gone = customer.update().where(customer.c.email == ADA).values(anonymized_at=customer.c.created_at)
        services.database.write(lambda connection: connection.execute(gone))
        assert arrived() == []


class TestResend:
    def test_a_pending_customer_gets_the_link(self, services: Services, clock: Clock, arrived: Deliver) -> None:
        """In conceal mode a resend mails a pending customer a link that confirms."""
        pending(services, clock)
        arrived()
        resend_confirmation(services, ADA, CLIENT)
        [message] = arrived()
        assert isinstance(confirm(services, key_in(message, "register/confirm"), CLIENT), Confirmed)

    def test_a_confirmed_customer_gets_a_notice(self, services: Services, clock: Clock, arrived: Deliver) -> None:
        """In conceal mode a resend mails a confirmed customer the notice, and its token belongs to no customer."""
        known(services, clock)
        arrived()
        resend_confirmation(services, ADA, CLIENT)
        assert post(arrived()) == [(ADA, TOLD)]
        [token] = rows(services.database, confirmation_token)
        assert token["customer_id"] not in {row["id"] for row in rows(services.database, customer)}

    def test_an_unknown_address_gets_no_mail(self, services: Services, arrived: Deliver) -> None:
        """In conceal mode the relay drops the mail of a resend for an unknown address."""
        resend_confirmation(services, ADA, CLIENT)
        assert arrived() == []
        assert [row["reason"] for row in rows(services.database, mail)] == ["the customer is gone"]

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    def test_a_customer_who_is_being_erased_is_promised_nothing(self, services: Services) -> None:
        """A resend waits for an erasure in flight, and then promises the mail of an unknown address."""
        ada = confirmed(services)
        is_erased = Event()

        def erase(connection: Connection) -> None:
            erase_confirmed(services, ada.id, connection)
            is_erased.set()
            eventually(lambda: connection.exec_driver_sql(WAITING).fetchall())

        with ThreadPoolExecutor(1) as threads:
            erasing = threads.submit(services.database.write, erase)
            wait_for(is_erased)
            assert resend_confirmation(services, ADA, CLIENT) == Accepted()
            erasing.result()
        assert ada.id not in {row["customer_id"] for row in rows(services.database, mail)}


class TestReset:
    def test_an_unknown_address_gets_no_mail(self, services: Services, arrived: Deliver) -> None:
        """In conceal mode the relay drops the mails of resets for an unknown address."""
        for _ in range(3):
            assert request_reset(services, ADA, CLIENT) == Accepted()
        assert arrived() == []
        assert [row["reason"] for row in rows(services.database, mail)] == ["the customer is gone"] * 3

    def test_rows_for_unknown_addresses_are_deleted(self, services: Services, clock: Clock) -> None:
        """Housekeeping deletes the tokens and mails that resets and resends wrote for unknown addresses."""
        for use in (request_reset, resend_confirmation):
            use(services, ADA, CLIENT)
        settle = mail.update().values(status="dropped", settled_at=clock.now)
        services.database.write(lambda connection: connection.execute(settle))
        clock.move(timedelta(days=40))
        tidied(services.database, clock.now)
        assert counts(services.database) == {"audit": 1}
        [row] = rows(services.database, tables.audit)
        assert (row["customer_id"], row["client_ip"]) == (None, None)


class TestChangeOfAddress:
    def test_a_taken_address_cannot_be_confirmed(self, services: Services, clock: Clock, arrived: Deliver) -> None:
        """A change to a taken address is accepted; its owner and the old address are told, but no mail has a key."""
        known(services, clock)
        change = _change(services, ADA)
        arrived()
        outcome = change()
        assert isinstance(outcome, Updated)
        assert (outcome.customer.email, outcome.pending_email) == (BOB, ADA)
        messages = arrived()
        assert post(messages) == [(ADA, TOLD), (BOB, "Your e-mail address is about to change")]
        assert not any("confirm-email" in message.as_string() for message in messages)
        assert len(rows(services.database, email_change)) == 1
        assert [address for address, _ in customers(services.database)] == [ADA, BOB]

    def test_a_taken_address_is_shown_as_pending(self, services: Services, clock: Clock) -> None:
        """A change to a taken address is shown as pending for a day, as any other change."""
        known(services, clock)
        _change(services, ADA)()
        caller = caller_of(services, sign_in_again(services))
        for passed, shown in ((DAY - TICK, ADA), (TICK, None)):
            clock.move(passed)
            outcome = update_profile(services, replace(caller), {"lastName": "B"}, CLIENT)
            assert isinstance(outcome, Updated)
            assert outcome.pending_email == shown

    def test_the_key_of_a_replaced_change_is_refused(self, services: Services, clock: Clock, arrived: Deliver) -> None:
        """The key of a change to a free address is refused once a change to a taken one has replaced it."""
        known(services, clock)
        caller = caller_of(services, member(services, email=BOB).tokens)
        arrived()
        update_profile(services, caller, {"email": "bob@example.net"}, CLIENT)
        key = key_in(arrived()[0], "register/confirm-email")
        update_profile(services, caller, {"email": ADA}, CLIENT)
        assert confirm_email_change(services, key, CLIENT) == TokenRefused()


def sign_in_again(services: Services) -> Tokens:
    outcome = sign_in(services, BOB, PASSWORD, CLIENT)
    assert isinstance(outcome, Tokens)
    return outcome


def test_reveal_mode_writes_no_decoys(services: Services, clock: Clock) -> None:
    """In reveal mode a taken or unknown address makes no decoy, token or mail."""
    revealing = replace(services, conceal=False)
    known(revealing, clock)
    before = counts(services.database)
    assert sign_up(revealing, FORM_OF_A_SIGN_UP) == EmailTaken()
    request_reset(revealing, BOB, CLIENT)
    resend_confirmation(revealing, BOB, CLIENT)
    after = counts(services.database)
    assert after == before | {"attempt": 4, "audit": before["audit"] + 1}

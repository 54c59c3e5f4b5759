"""Concealing: for a known address and an unknown one the same answer, the same statements and as many rows."""

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
from registration.account.erasure_proof import CannotProve, Person, prove
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
    TokenRefused,
    Tokens,
    Updated,
)
from registration.passwords.reset import request_reset, reset
from registration.records import audit
from registration.records.housekeeping import tidy_up
from registration.services import Services
from registration.sessions.sign_in import sign_in
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
from tests.clock import Clock
from tests.registration.callers import caller_of
from tests.registration.forms import PASSWORD, request
from tests.registration.members import CLIENT, confirmed, member
from tests.registration.post import Deliver, deliver, key_in, text_of
from tests.registration.signing import sign_up
from tests.registration.statements import statements_of
from tests.registration.stored import counts, customers, rows
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
    """What is in the mailboxes since the last look."""
    return lambda: deliver(services, tmp_path / "mail")


def unknown(_services: Services, _clock: Clock) -> None:
    """Nobody has the address."""


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
    "resend": lambda services: lambda: resend_confirmation(services, ADA),
    "reset": lambda services: lambda: request_reset(services, ADA, CLIENT),
    "change of address": lambda services: _change(services, ADA),
}


def _change(services: Services, email: str) -> Work:
    """Bob, who is signed in, asks for another address."""
    caller = caller_of(services, member(services, email=BOB).tokens)
    return lambda: update_profile(services, caller, {"email": email}, CLIENT)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_answer_is_the_same(services: Services, clock: Clock, operation: str) -> None:
    """And so is every statement, in the same order, whether the address is unknown, pending, expired or confirmed."""
    seen = []
    for state in STATES:
        fresh = emptied(services)
        state(fresh, clock)
        work = OPERATIONS[operation](fresh)
        outcome, statements = statements_of(work)
        if isinstance(outcome, Updated):  # whose moments are those of the clock
            outcome = (outcome.pending_email, outcome.confirm_before == clock.now + DAY, outcome.customer.email)
        seen.append((state.__name__, outcome, statements))
    assert len(seen[0][2]) >= 5
    for name, *others in seen:
        assert others == [*seen[0][1:]], name


@pytest.mark.parametrize("operation", OPERATIONS)
def test_as_many_rows_are_written(services: Services, clock: Clock, operation: str) -> None:
    """In every table, whether the address is unknown, pending or confirmed."""
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
    """To whom and about what."""
    return [(message["To"], message["Subject"]) for message in messages]


class TestSignUp:
    def test_a_new_customer_is_registered_all_the_same(self, services: Services, arrived: Deliver) -> None:
        """Who follows the link of the mail can sign in."""
        assert sign_up(services, request()) == Accepted()
        [message] = arrived()
        assert (message["To"], message["Subject"]) == (ADA, "Please confirm your e-mail address")
        assert isinstance(confirm(services, key_in(message, "register/confirm"), CLIENT), Confirmed)
        assert isinstance(sign_in(services, ADA, PASSWORD, CLIENT), Tokens)

    def test_rules_are_told(self, services: Services) -> None:
        """They say nothing about who is registered."""
        assert isinstance(sign_up(services, request(firstName="")), Invalid)
        assert counts(services.database) == {}

    @pytest.mark.parametrize("state", [pending, known])
    def test_who_has_the_address_keeps_it(self, services: Services, clock: Clock, state: State) -> None:
        """With name and password; what was typed now is nowhere."""
        state(services, clock)
        sign_up(services, FORM_OF_A_SIGN_UP)
        assert (ADA, "Ada") in [(row["email"], row["first_name"]) for row in rows(services.database, customer)]
        everything = [rows(services.database, table) for table in customer.metadata.sorted_tables]
        assert "Eve" not in str(everything)
        assert sign_in(services, ADA, "another horse", CLIENT) == BadCredentials()

    def test_an_expired_sign_up_gives_way(self, services: Services, clock: Clock, arrived: Deliver) -> None:
        """Nothing of the first person is left; the second gets a link."""
        expired(services, clock)
        arrived()
        sign_up(services, FORM_OF_A_SIGN_UP)
        assert customers(services.database) == [(ADA, "Eve")]
        assert post(arrived()) == [(ADA, "Please confirm your e-mail address")]

    def test_the_owner_sees_it_in_the_trail(self, services: Services, clock: Clock) -> None:
        """Events and audit name the account that has the address, never the shadow."""
        known(services, clock)
        sign_up(services, FORM_OF_A_SIGN_UP)
        (holder,) = (row["id"] for row in rows(services.database, customer) if row["email"] == ADA)
        told = {row["kind"] for row in rows(services.database, event) if row["customer_id"] == holder}
        assert told == {"customer.created", "customer.confirmed", "customer.sign_up_repeated"}
        assert {row["customer_id"] for row in rows(services.database, event)} == {holder}
        trail = [row["kind"] for row in rows(services.database, tables.audit) if row["customer_id"] == holder]
        assert sorted(trail) == ["confirm", "sign-up", "sign-up repeated"]

    def test_of_many_at_once_one_is_registered(self, services: Services, arrived: Deliver) -> None:
        """All have the same answer; one link and one notice arrive."""
        with ThreadPoolExecutor(20) as threads:
            outcomes = list(threads.map(lambda name: sign_up(services, request(firstName=str(name))), range(20)))
        assert outcomes == [Accepted()] * 20
        assert sum(row["first_name"] is not None for row in rows(services.database, customer)) == 1
        assert post(arrived()) == [(ADA, "Please confirm your e-mail address"), (ADA, TOLD)]

    def test_of_many_at_once_one_replaces_an_expired_one(self, services: Services, clock: Clock) -> None:
        """And the other nineteen are shadows."""
        expired(services, clock)
        with ThreadPoolExecutor(20) as threads:
            list(threads.map(lambda name: sign_up(services, request(firstName=str(name))), range(20)))
        [name] = [row["first_name"] for row in rows(services.database, customer) if row["first_name"]]
        assert name != "Ada"
        assert len(rows(services.database, customer)) == len(rows(services.database, email_claim)) == 20

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    def test_an_address_that_is_taken_at_this_moment_is_known(self, services: Services) -> None:
        """Somebody else's claim is written when nobody's has been found: its commit is waited for."""
        other = services.new_id()

        def take(connection: Connection) -> None:
            connection.execute(email_claim.insert().values(address=ADA, customer_id=other))
            is_taken.set()
            eventually(lambda: connection.exec_driver_sql("SELECT FROM pg_locks WHERE NOT granted").fetchall())

        is_taken = Event()
        with ThreadPoolExecutor(2) as threads:
            taking = threads.submit(services.database.write, take)
            wait_for(is_taken)
            assert threads.submit(sign_up, services, request()).result() == Accepted()
            taking.result()
        claims = {row["address"]: row["customer_id"] for row in rows(services.database, email_claim)}
        assert claims.pop(ADA) == other
        assert len(claims) == 1

    @pytest.mark.parametrize("state", [unknown, known])
    def test_a_second_run_writes_nothing(self, services: Services, clock: Clock, state: State) -> None:
        """As after a commit whose answer was lost: the database runs the same work again."""
        state(services, clock)
        draft_id = services.new_id()
        again = replace(services, new_id=lambda: draft_id)
        sign_up(again, FORM_OF_A_SIGN_UP)
        before = counts(services.database)
        assert sign_up(again, FORM_OF_A_SIGN_UP) == Accepted()
        assert counts(services.database) == before


class TestShadow:
    def test_holds_nothing_of_a_person(self, services: Services, clock: Clock) -> None:
        """No name, no birthday, no address, and not even the hash of what was typed."""
        known(services, clock)
        sign_up(services, request(firstName="Eve", dateOfBirth="1984-05-17"))
        [shadow] = [row for row in rows(services.database, customer) if row["email"] != ADA]
        [other] = [row for row in rows(services.database, customer) if row["email"] == ADA]
        assert shadow["email"] == decoy_address(shadow["id"])
        personal = ("salutation", "first_name", "last_name", "gender", "date_of_birth", "confirmed_at")
        assert [shadow[column] for column in personal] == [None] * len(personal)
        assert set(shadow["password_hash"]) == {"*"}
        assert len(shadow["password_hash"]) == len(other["password_hash"])

    def test_is_nobody(self, services: Services, clock: Clock) -> None:
        """Its address neither signs in, nor is it mailed or confirmed."""
        known(services, clock)
        sign_up(services, FORM_OF_A_SIGN_UP)
        [address] = [row["email"] for row in rows(services.database, customer) if row["email"] != ADA]
        assert sign_in(services, address, "another horse", CLIENT) == BadCredentials()
        assert [row["token_id"] for row in rows(services.database, mail)][1:] == [None]

    def test_no_operator_meets_it(self, services: Services, clock: Clock) -> None:
        """Its reference is nobody's, as that of no sign-up would be."""
        known(services, clock)
        sign_up(services, FORM_OF_A_SIGN_UP)
        [reference] = [row["reference"] for row in rows(services.database, customer) if row["email"] != ADA]
        assert services.database.read(lambda connection: audit.trail(connection, reference)) is None
        proof = prove(services.database, services.secret, reference, Person([], []))
        assert proof == CannotProve(f"no customer has the reference {reference}")

    def test_is_soon_gone(self, services: Services, clock: Clock) -> None:
        """Housekeeping deletes shadows and their claims in batches, and nobody else, erased or not."""
        known(services, clock)
        confirmed(services, email=BOB)
        for _ in range(5):
            sign_up(services, FORM_OF_A_SIGN_UP)
        erased = customer.update().where(customer.c.email == BOB).values(anonymized_at=clock.now, email="gone")
        services.database.write(lambda connection: connection.execute(erased))
        swept = [services.database.write(lambda connection: tidy_up(connection, clock.now, 3)) for _ in range(3)]
        assert swept == [6, 4, 0]
        assert sorted(row["email"] for row in rows(services.database, customer)) == [ADA, "gone"]
        assert sorted(row["address"] for row in rows(services.database, email_claim)) == [ADA, BOB]

    def test_is_found_without_looking_at_all_customers(self, services: Services) -> None:
        """By an index of its own: housekeeping comes every hour, and customers are many."""
        is_shadow = "SELECT id FROM customer WHERE anonymized_at IS NOT NULL AND confirmed_at IS NULL LIMIT 500"

        def plan(connection: Connection) -> str:
            if connection.dialect.name == "sqlite":
                return str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {is_shadow}").fetchall())
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # which is faster while the table is empty
            return str(connection.exec_driver_sql(f"EXPLAIN {is_shadow}").fetchall())

        assert "ix_customer_shadow" in services.database.write(plan)


class TestReplay:
    @pytest.mark.parametrize("state", [unknown, pending, known])
    def test_is_accepted_again_without_another_mail(
        self, services: Services, clock: Clock, arrived: Deliver, state: State
    ) -> None:
        """Whoever has the address."""
        state(services, clock)
        arrived()
        repeated = request(email=ADA, firstName="Eve", idempotencyKey=KEY)
        assert sign_up(services, repeated) == Accepted()
        assert len(arrived()) == 1
        before = counts(services.database)
        assert sign_up(services, repeated) == Accepted()
        assert counts(services.database) == before

    @pytest.mark.parametrize("state", [unknown, known])
    def test_other_input_is_a_conflict(self, services: Services, clock: Clock, state: State) -> None:
        """Whoever has the address."""
        state(services, clock)
        sign_up(services, request(idempotencyKey=KEY))
        assert sign_up(services, request(firstName="Eve", idempotencyKey=KEY)) == IdempotencyConflict()

    def test_reads_as_much_whoever_has_the_address(self, services: Services, clock: Clock) -> None:
        """A replay looks at nothing but the record."""
        said = []
        for state in (unknown, known):
            state(emptied(services), clock)
            repeated = request(idempotencyKey=KEY)
            sign_up(services, repeated)
            said.append(statements_of(lambda: sign_up(services, repeated))[1])  # noqa: B023 - called at once
        assert said[0] == said[1]
        (looked,) = (statement for statement in said[0] if "FROM" in statement)
        assert "FROM idempotency" in looked

    def test_tells_nothing_of_anybody_when_the_mode_changes(self, services: Services, clock: Clock) -> None:
        """A refusal that was concealed is a refusal, and what was registered is registered."""
        known(services, clock)
        revealing = replace(services, conceal=False)
        sign_up(services, request(idempotencyKey=KEY))
        assert sign_up(revealing, request(idempotencyKey=KEY)) == EmailTaken()
        sign_up(services, request(email=BOB, idempotencyKey=2 * KEY))
        outcome = sign_up(revealing, request(email=BOB, idempotencyKey=2 * KEY))
        assert isinstance(outcome, Registered)
        assert outcome.customer.email == BOB

    def test_the_record_goes_with_its_customer(self, services: Services) -> None:
        """And holds no customer where none came of it."""
        sign_up(services, request(idempotencyKey=KEY))
        sign_up(services, request(idempotencyKey=2 * KEY))
        owners = {row["customer_id"] for row in rows(services.database, idempotency)}
        assert owners == {None, *(row["id"] for row in rows(services.database, customer) if row["email"] == ADA)}


class TestNotice:
    @pytest.mark.parametrize("language", Language)
    def test_says_that_there_is_an_account(
        self, services: Services, clock: Clock, arrived: Deliver, language: Language
    ) -> None:
        """In the language of the account, to the address that is stored, without a link or a word of the stranger's."""
        sign_up(services, replace(request(), language=language))
        confirm(services, key_in(arrived()[0], "register/confirm"), CLIENT)
        sign_up(services, request(email=ADA.upper(), firstName="Eve"))
        [message] = arrived()
        assert message["To"] == ADA
        assert message["Content-Language"] == language
        words = text_of(message)
        assert {Language.EN: "sign in as always", Language.DE: "melden Sie sich an wie immer"}[language] in words
        assert "token=" not in message.as_string()
        assert "Eve" not in message.as_string()

    @pytest.mark.parametrize(
        ("language", "words"),
        [(Language.EN, "still waits for its confirmation"), (Language.DE, "wartet noch auf seine Bestätigung")],
    )
    def test_says_that_the_account_is_not_confirmed(
        self, services: Services, arrived: Deliver, language: Language, words: str
    ) -> None:
        """It has no link to confirm a password that somebody else may have chosen; a reset is the way."""
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
        """However often and in whatever way the address is used."""
        known(services, clock)
        change = _change(services, ADA)
        arrived()
        for use in (lambda: sign_up(services, FORM_OF_A_SIGN_UP), lambda: resend_confirmation(services, ADA), change):
            use()
        assert post(arrived()).count((ADA, TOLD)) == 1
        clock.move(HOUR - TICK)
        sign_up(services, FORM_OF_A_SIGN_UP)
        assert arrived() == []
        clock.move(TICK)
        sign_up(services, FORM_OF_A_SIGN_UP)
        assert post(arrived()) == [(ADA, TOLD)]
        reasons = [row["reason"] for row in rows(services.database, mail) if row["status"] == "dropped"]
        assert reasons.count("the customer was told within the hour") == 3

    def test_an_hour_is_counted_from_when_it_was_sent(self, services: Services, clock: Clock, arrived: Deliver) -> None:
        """A relay that was down does not send two at once."""
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
        """One does not use up the turn of another."""
        for email in (ADA, BOB):
            confirmed(services, email=email)
            sign_up(services, request(email=email))
        assert {(to, TOLD) for to in (ADA, BOB)} <= set(post(arrived()))

    def test_is_about_who_has_the_address_when_it_is_sent(
        self, services: Services, clock: Clock, arrived: Deliver
    ) -> None:
        """Nobody who is erased meanwhile gets it."""
        known(services, clock)
        arrived()
        sign_up(services, FORM_OF_A_SIGN_UP)
        gone = customer.update().where(customer.c.email == ADA).values(first_name=None)
        services.database.write(lambda connection: connection.execute(gone))
        assert arrived() == []


class TestResend:
    def test_a_pending_customer_gets_the_link(self, services: Services, clock: Clock, arrived: Deliver) -> None:
        """As always."""
        pending(services, clock)
        arrived()
        resend_confirmation(services, ADA)
        [message] = arrived()
        assert isinstance(confirm(services, key_in(message, "register/confirm"), CLIENT), Confirmed)

    def test_a_confirmed_one_is_told_so(self, services: Services, clock: Clock, arrived: Deliver) -> None:
        """And can be confirmed by no key."""
        known(services, clock)
        arrived()
        resend_confirmation(services, ADA)
        assert post(arrived()) == [(ADA, TOLD)]
        [token] = rows(services.database, confirmation_token)
        assert token["customer_id"] not in {row["id"] for row in rows(services.database, customer)}

    def test_nobody_gets_none(self, services: Services, arrived: Deliver) -> None:
        """The job is dropped by the relay."""
        resend_confirmation(services, ADA)
        assert arrived() == []
        assert [row["reason"] for row in rows(services.database, mail)] == ["the customer is gone"]


class TestReset:
    def test_nobody_gets_no_key(self, services: Services, arrived: Deliver) -> None:
        """However often one is asked for; the jobs are dropped by the relay."""
        for _ in range(3):
            assert request_reset(services, ADA, CLIENT) == Accepted()
        assert arrived() == []
        assert [row["reason"] for row in rows(services.database, mail)] == ["the customer is gone"] * 3

    def test_what_was_written_for_nobody_is_soon_gone(self, services: Services, clock: Clock) -> None:
        """With everything else that nobody can use any more."""
        for use in (request_reset, lambda *given: resend_confirmation(*given[:2])):
            use(services, ADA, CLIENT)
        settle = mail.update().values(status="dropped", settled_at=clock.now)
        services.database.write(lambda connection: connection.execute(settle))
        clock.move(timedelta(days=40))
        services.database.write(lambda connection: tidy_up(connection, clock.now, 100))
        assert counts(services.database) == {"audit": 1}


class TestChangeOfAddress:
    def test_a_taken_address_waits_in_vain(self, services: Services, clock: Clock, arrived: Deliver) -> None:
        """Its owner is told, the customer's old address too; a key for it is in no mail, and the claim stays."""
        known(services, clock)
        change = _change(services, ADA)
        arrived()
        outcome = change()
        assert isinstance(outcome, Updated)
        assert (outcome.customer.email, outcome.pending_email) == (BOB, ADA)
        messages = arrived()
        assert post(messages) == [(ADA, TOLD), (BOB, "Your e-mail address is about to change")]
        assert not any("token=" in message.as_string() for message in messages)
        assert len(rows(services.database, email_change)) == 1
        assert [address for address, _ in customers(services.database)] == [ADA, BOB]

    def test_what_waits_in_vain_is_shown_as_any_other(self, services: Services, clock: Clock) -> None:
        """Until it is over."""
        known(services, clock)
        _change(services, ADA)()
        caller = caller_of(services, sign_in_again(services))
        for passed, shown in ((DAY - TICK, ADA), (TICK, None)):
            clock.move(passed)
            outcome = update_profile(services, replace(caller), {"lastName": "B"}, CLIENT)
            assert isinstance(outcome, Updated)
            assert outcome.pending_email == shown

    def test_a_mail_of_before_confirms_nothing(self, services: Services, clock: Clock, arrived: Deliver) -> None:
        """A link to a free address is dead when a taken one takes its place."""
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


def test_revealing_writes_as_little_as_before(services: Services, clock: Clock) -> None:
    """The work for nobody is done only where it conceals something."""
    revealing = replace(services, conceal=False)
    known(revealing, clock)
    before = counts(services.database)
    assert sign_up(revealing, FORM_OF_A_SIGN_UP) == EmailTaken()
    request_reset(revealing, BOB, CLIENT)
    resend_confirmation(revealing, BOB)
    after = counts(services.database)
    assert after == before | {"attempt": 4, "audit": before["audit"] + 1}

"""Budgets of clients, networks and mailboxes on both engines, alone and through the use cases that they bound."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from registration.account.erasure import anonymize
from registration.account.profile import update_profile
from registration.keys.secret import Secret
from registration.limits.attempts import Limit
from registration.limits.budgets import Bill, Budget, Budgets, Charged, Cost, Payer
from registration.limits.idempotency import begin
from registration.limits.payers import client_of, mailbox_of, wide_network_of
from registration.outcomes import (
    Accepted,
    BadCredentials,
    EmailNotConfirmed,
    Registered,
    SignUpAccepted,
    Tokens,
    TooManyAttempts,
)
from registration.passwords.change import change_password
from registration.passwords.reset import request_reset
from registration.services import Services
from registration.sessions.access_tokens import Caller
from registration.signing_up.commit import commit
from registration.signing_up.confirmation import resend_confirmation
from registration.signing_up.new_account import PreparedSignUp
from registration.signing_up.sign_up import SignUpRequest, prepare
from registration.storage.database import Database, Locked
from registration.storage.tables import attempt, customer, mail
from tests.clock import Clock
from tests.registration.callers import caller_of
from tests.registration.forms import PASSWORD, form, request
from tests.registration.lost_answers import CommitsTwice
from tests.registration.members import CLIENT, confirmed, member
from tests.registration.signing import sign_in, sign_up
from tests.registration.stored import rows

SECRET = Secret(b"s" * 32)
HOUR = 3600
KEY = "idempotency-key-1"


def budgets(cost: Cost, payer: Payer, count: int) -> Budgets:
    return Budgets([Budget(cost, payer, Limit(count, HOUR))])


def bill(*costs: Cost, client_ip: str = CLIENT, email_key: str | None = None) -> Bill:
    return Bill(frozenset(costs), client_ip, email_key)


class TestPayers:
    @pytest.mark.parametrize(
        ("client_ip", "client", "network"),
        [
            ("192.0.2.1", "192.0.2.1", None),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
            ("2001:db8:1:2::9", "2001:db8:1:2::/64", "2001:db8:1::/48"),
            ("2001:db8:1:3::9", "2001:db8:1:3::/64", "2001:db8:1::/48"),
            ("", "", None),
            ("unix", "unix", None),
        ],
    )
    def test_ipv6_counts_by_network(self, client_ip: str, client: str, network: str | None) -> None:
        """A client has the 2^64 addresses of its /64, and perhaps the 65,536 /64 of its /48."""
        assert (client_of(client_ip), wide_network_of(client_ip)) == (client, network)

    @pytest.mark.parametrize(
        ("email_key", "mailbox"),
        [
            ("ada@example.org", "ada@example.org"),
            ("ada+shop@example.org", "ada@example.org"),
            ("a.d.a+1+2@gmail.com", "ada@gmail.com"),
            ("ada@googlemail.com", "ada@gmail.com"),
            ("a.da@example.org", "a.da@example.org"),
            ("+ada@example.org", "+ada@example.org"),
        ],
    )
    def test_tags_and_dots_are_one_mailbox(self, email_key: str, mailbox: str) -> None:
        """Addresses of one mailbox are counted together; their identity is not folded (decision 0005)."""
        assert mailbox_of(email_key) == mailbox


def charged_together(database: Database, clock: Clock, counted: Budgets, *bills: Bill) -> list[Charged]:
    with counted.charging(SECRET, bills, clock()) as charge:
        return database.write(charge)


class TestCharge:
    def charge(self, database: Database, clock: Clock, counted: Budgets, *bills: Bill) -> list[int | None]:
        """The seconds that each bill is told to wait."""
        charged = charged_together(database, clock, counted, *bills)
        refusals = [each.refusal(clock()) for each in charged]
        return [None if refusal is None else refusal.retry_after_seconds for refusal in refusals]

    def test_bills_of_one_transaction_count_in_order(self, database: Database, clock: Clock) -> None:
        """The first bills of a batch are within the budget, the others are told when the window ends."""
        counted = budgets(Cost.MAIL, Payer.CLIENT, 2)
        assert self.charge(database, clock, counted, *[bill(Cost.MAIL)] * 3) == [None, None, HOUR]
        clock.move(timedelta(minutes=10))
        assert self.charge(database, clock, counted, bill(Cost.MAIL)) == [HOUR - 600]
        clock.move(timedelta(hours=1))
        assert self.charge(database, clock, counted, bill(Cost.MAIL)) == [None]

    def test_only_a_cost_with_a_budget_counts(self, database: Database, clock: Clock) -> None:
        """A bill of other costs leaves no row."""
        counted = budgets(Cost.MAIL, Payer.CLIENT, 1)
        assert self.charge(database, clock, counted, bill(Cost.HASH), bill(Cost.GUESS)) == [None, None]
        assert rows(database, attempt) == []

    def test_each_payer_has_a_budget_of_its_own(self, database: Database, clock: Clock) -> None:
        """Another client pays for itself; a budget in all is shared."""
        bills = [bill(Cost.MAIL, client_ip=f"192.0.2.{number}") for number in range(2)]
        assert self.charge(database, clock, budgets(Cost.MAIL, Payer.CLIENT, 1), *bills) == [None, None]
        assert self.charge(database, clock, budgets(Cost.MAIL, Payer.ALL, 1), *bills) == [None, HOUR]

    @pytest.mark.parametrize(("payer", "second"), [(Payer.CLIENT, None), (Payer.NETWORK, HOUR)])
    def test_two_clients_of_one_network(
        self, database: Database, clock: Clock, payer: Payer, second: int | None
    ) -> None:
        """Two /64 of one /48 share the budget of the network and no other."""
        bills = [bill(Cost.MAIL, client_ip=f"2001:db8:1:{number}::1") for number in range(2)]
        assert self.charge(database, clock, budgets(Cost.MAIL, payer, 1), *bills) == [None, second]

    def test_a_used_up_budget_is_logged_once(self, services: Services) -> None:
        """The first bill beyond a budget is a warning, which names neither client nor address; later ones are not."""
        limited = replace(services, budgets=budgets(Cost.GUESS, Payer.CLIENT, 1))
        with capture_logs() as entries:
            for number in range(4):
                sign_in(limited, f"ada{number}@example.org", "guess", CLIENT)
        assert entries == [
            {"event": "budget used up", "log_level": "warning", "cost": Cost.GUESS, "payer": Payer.CLIENT}
        ]

    def test_a_budget_of_0_is_none(self, database: Database, clock: Clock) -> None:
        """A setting of 0 switches its budget off."""
        counted = budgets(Cost.MAIL, Payer.CLIENT, 0)
        assert not counted.are_on
        assert self.charge(database, clock, counted, bill(Cost.MAIL)) == [None]

    def test_keys_are_values_under_the_secret(self, database: Database, clock: Clock) -> None:
        """The table names neither clients nor addresses; its keys fit the column."""
        counted = Budgets([Budget(Cost.MAIL, payer, Limit(9, HOUR)) for payer in Payer])
        self.charge(database, clock, counted, bill(Cost.MAIL, client_ip="2001:db8::1", email_key="ada@example.org"))
        keys = [row["key"] for row in rows(database, attempt)]
        assert len(keys) == len(Payer)
        assert {len(key) for key in keys} == {64}


class TestRemembered:
    def test_a_used_up_budget_costs_no_statement(self, services: Services) -> None:
        """A client that this process has refused is refused before its hash; another client is served."""
        limited = replace(services, budgets=budgets(Cost.SIGN_UP, Payer.CLIENT, 1))
        assert isinstance(sign_up(limited, request()), Registered)
        assert sign_up(limited, request(email="bob@example.org")) == TooManyAttempts(HOUR)
        said: list[str] = []
        event.listen(services.database.engine, "before_cursor_execute", lambda *args: said.append(args[2]))
        assert sign_up(limited, request(email="bob@example.org")) == TooManyAttempts(HOUR)
        assert said == []
        other = SignUpRequest(form(email="bob@example.org"), request().language, "192.0.2.77")
        assert isinstance(sign_up(limited, other), Registered)

    def test_a_sign_in_is_refused_without_being_counted(self, services: Services) -> None:
        """A client whose sign-ups have used up the budget of hashes is refused a sign-in, and no count changes."""
        limited = replace(services, budgets=budgets(Cost.HASH, Payer.CLIENT, 1))
        for _ in range(2):
            sign_up(limited, request())
        before = rows(services.database, attempt)
        assert sign_in(limited, "ada@example.org", PASSWORD, CLIENT) == TooManyAttempts(HOUR)
        assert rows(services.database, attempt) == before

    def test_the_memory_ends_with_the_window(self, services: Services, clock: Clock) -> None:
        """After an hour the client may sign up again."""
        limited = replace(services, budgets=budgets(Cost.SIGN_UP, Payer.CLIENT, 1))
        for _ in range(3):
            sign_up(limited, request())
        clock.move(timedelta(hours=1))
        assert isinstance(sign_up(limited, request(email="bob@example.org")), Registered)


def test_a_batch_is_judged_one_by_one(services: Services) -> None:
    """Sign-ups of one transaction within the budget are written, the others are refused and leave no row."""
    limited = replace(services, budgets=budgets(Cost.MAIL, Payer.CLIENT, 2))
    prepared = [prepare(limited, request(email=f"ada{number}@example.org")) for number in range(4)]
    outcomes = commit(limited, [each for each in prepared if isinstance(each, PreparedSignUp)])
    assert [type(outcome) for outcome in outcomes] == [Registered, Registered, TooManyAttempts, TooManyAttempts]
    assert len(rows(services.database, customer)) == len(rows(services.database, mail)) == 2


class TestSignUpsThatAreCommitted:
    """A sign-up that is stored has been charged: nothing that fails afterwards charges it again, or refuses it."""

    @pytest.mark.parametrize("conceal", [False, True])
    @pytest.mark.parametrize("changes", [{}, {"idempotencyKey": KEY}], ids=["without key", "with key"])
    def test_a_lost_answer_charges_none_twice(
        self, services: Services, changes: dict[str, object], conceal: bool
    ) -> None:
        """When the answer to the commit is lost, the sign-up gets its outcome although it has used up its budget."""
        lost = CommitsTwice(services.database)
        limited = replace(services, budgets=budgets(Cost.SIGN_UP, Payer.CLIENT, 1), database=lost, conceal=conceal)
        assert isinstance(sign_up(limited, request(**changes)), SignUpAccepted if conceal else Registered)
        assert lost.repeated == 1
        assert len(rows(services.database, customer)) == 1
        assert [row["count"] for row in rows(services.database, attempt)] == [1]

    def test_a_sign_up_at_fault_leaves_the_others_theirs(self, services: Services) -> None:
        """A sign-up with an idempotency key that cannot be written fails alone; the others are charged once."""
        limited = replace(services, budgets=budgets(Cost.SIGN_UP, Payer.CLIENT, 9))
        asked = [request(email=f"ada{number}@example.org", idempotencyKey=f"{KEY}{number}") for number in range(2)]
        prepared = [prepare(limited, each) for each in (request(), *asked)]
        group = [each for each in prepared if isinstance(each, PreparedSignUp)]
        # Two customers with one reference cannot be written.
        group[1] = replace(group[1], customer=replace(group[1].customer, reference=group[0].customer.reference))
        outcomes = commit(limited, group)
        assert [type(outcome) for outcome in outcomes] == [Registered, IntegrityError, Registered]
        assert len(rows(services.database, customer)) == 2
        assert [row["count"] for row in rows(services.database, attempt)] == [2]

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    def test_a_locked_sign_up_leaves_the_others_theirs(self, services: Services) -> None:
        """A sign-up whose idempotency key another node holds is told so alone; it is written when the key is free."""
        asked = [request(), request(email="bob@example.org", idempotencyKey=KEY)]
        first, second = (prepare(services, each) for each in asked)
        assert isinstance(first, PreparedSignUp)
        assert isinstance(second, PreparedSignUp)
        assert second.ticket
        with services.database.engine.connect() as other:
            begin(other, second.ticket, services.clock())
            outcomes = commit(services, [first, second], 0.05)
        assert [type(outcome) for outcome in outcomes] == [Registered, Locked]
        assert isinstance(commit(services, [second])[0], Registered)
        assert len(rows(services.database, customer)) == 2


def test_many_tags_do_not_fill_one_mailbox(services: Services) -> None:
    """After the budget of the mailbox, victim+4@… promises no further mail (faults.md E3)."""
    limited = replace(services, budgets=budgets(Cost.MAIL, Payer.MAILBOX, 3))
    outcomes = [sign_up(limited, request(email=f"victim+{number}@example.org")) for number in range(12)]
    assert sum(isinstance(outcome, TooManyAttempts) for outcome in outcomes) == 9
    assert len(rows(services.database, mail)) == 3


@pytest.mark.parametrize("use", [request_reset, resend_confirmation])
def test_mails_that_strangers_ask_for_are_counted_for_the_client(services: Services, use: object) -> None:
    """Known and unknown addresses count alike, so that the refusal tells nothing."""
    assert callable(use)
    limited = replace(services, budgets=budgets(Cost.MAIL, Payer.CLIENT, 2))
    confirmed(services, email="ada@example.org")
    addresses = ["ada@example.org", "bob@example.org", "eve@example.org"]
    outcomes = [use(limited, address, CLIENT) for address in addresses]
    assert outcomes == [Accepted(), Accepted(), TooManyAttempts(HOUR)]


def guess_by_change(services: Services, caller: Caller, password: str) -> object:
    new = {"newPassword": "a brand new horse", "confirmPassword": "a brand new horse"}
    return change_password(services, caller, {"password": password, **new}, CLIENT)


def guess_by_erasure(services: Services, caller: Caller, password: str) -> object:
    return anonymize(services, caller, password, CLIENT)


def guess_by_profile(services: Services, caller: Caller, password: str) -> object:
    return update_profile(services, caller, {"email": "new@example.org"}, CLIENT, password=password)


class TestGuesses:
    def test_one_guess_at_each_of_many_accounts(self, services: Services) -> None:
        """The lock-out counts each account; the budget counts the client (faults.md E3)."""
        limited = replace(services, budgets=budgets(Cost.GUESS, Payer.CLIENT, 3))
        outcomes = [sign_in(limited, f"ada{number}@example.org", "guess", CLIENT) for number in range(5)]
        assert outcomes == [BadCredentials()] * 3 + [TooManyAttempts(HOUR)] * 2

    @pytest.mark.parametrize("use", [guess_by_change, guess_by_erasure, guess_by_profile])
    def test_a_stolen_session_guesses_no_oftener(self, services: Services, use: Callable[..., object]) -> None:
        """Wrong passwords of a signed-in client count like those of sign-ins, and right ones do not."""
        limited = replace(services, budgets=budgets(Cost.GUESS, Payer.CLIENT, 3))
        ada = caller_of(services, member(services, email="ada@example.org").tokens)
        outcomes = [use(limited, ada, "guess") for _ in range(4)]
        assert outcomes == [BadCredentials()] * 3 + [TooManyAttempts(HOUR)]
        unlimited = replace(services, budgets=budgets(Cost.GUESS, Payer.CLIENT, 30))
        before = rows(services.database, attempt)
        assert not isinstance(use(unlimited, ada, PASSWORD), BadCredentials | TooManyAttempts)
        assert [row for row in rows(services.database, attempt) if row in before] == before

    def test_right_passwords_are_no_guesses(self, services: Services) -> None:
        """An office behind one address signs in as often as it likes."""
        limited = replace(services, budgets=budgets(Cost.GUESS, Payer.CLIENT, 2))
        confirmed(services, email="ada@example.org")
        assert all(isinstance(sign_in(limited, "ada@example.org", PASSWORD, CLIENT), Tokens) for _ in range(5))
        assert rows(services.database, attempt) == []

    def test_a_right_password_before_the_confirmation_is_no_guess(self, services: Services) -> None:
        """A page may sign in until the address is confirmed; only where that must not be told it is a guess."""
        limited = replace(services, budgets=budgets(Cost.GUESS, Payer.CLIENT, 2))
        sign_up(services, request(email="ada@example.org"))
        told = [sign_in(limited, "ada@example.org", PASSWORD, CLIENT) for _ in range(5)]
        assert told == [EmailNotConfirmed()] * 5
        assert rows(services.database, attempt) == []
        hidden = [sign_in(replace(limited, conceal=True), "ada@example.org", PASSWORD, CLIENT) for _ in range(3)]
        assert hidden == [BadCredentials()] * 2 + [TooManyAttempts(HOUR)]

    def test_a_refused_client_does_not_lock_the_account(self, services: Services) -> None:
        """An attempt that was not made is given back to the lock-out."""
        limited = replace(services, budgets=budgets(Cost.GUESS, Payer.CLIENT, 1))
        confirmed(services, email="ada@example.org")
        for _ in range(12):
            sign_in(limited, "ada@example.org", "guess", CLIENT)
        assert isinstance(sign_in(limited, "ada@example.org", PASSWORD, CLIENT), TooManyAttempts)
        unlimited = replace(services, budgets=Budgets())
        assert isinstance(sign_in(unlimited, "ada@example.org", PASSWORD, CLIENT), Tokens)


def test_erasure_forgets_the_mailbox(services: Services) -> None:
    """The count of a mailbox is deleted with the customer of an address of it."""
    limited = replace(services, budgets=budgets(Cost.MAIL, Payer.MAILBOX, 5))
    ada = caller_of(services, member(services, email="ada+shop@example.org").tokens)
    sign_up(limited, request(email="ada+other@example.org"))
    assert len(rows(services.database, attempt)) == 1
    anonymize(services, ada, None, CLIENT)
    assert rows(services.database, attempt) == []

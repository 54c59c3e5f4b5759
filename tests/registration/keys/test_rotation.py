"""A rotation of the secret on both engines: what was made under the former secret goes on working."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from registration.account.email_change import confirm_email_change
from registration.account.erasure import anonymize
from registration.account.erasure_proof import Wanted, prove
from registration.account.profile import update_profile
from registration.keys.agreement import keys_of_node
from registration.keys.handles import read_handle
from registration.keys.link_keys import reset_key
from registration.keys.secret import Secret
from registration.limits.attempts import Limit
from registration.limits.budgets import Budget, Budgets, Cost, Payer
from registration.mail.composition import waiting_under
from registration.outcomes import (
    BadCredentials,
    Confirmed,
    Done,
    IdempotencyConflict,
    Registered,
    Tokens,
    TooManyAttempts,
)
from registration.passwords.reset import request_reset, reset
from registration.readiness import obstacle
from registration.services import Services
from registration.signing_up.confirmation import confirm
from registration.storage.tables import attempt, mail
from tests.registration.callers import EMAIL, WAITING, caller_of, with_traces_everywhere
from tests.registration.forms import PASSWORD, request
from tests.registration.members import CLIENT, member
from tests.registration.post import deliver, key_in, text_of
from tests.registration.signing import sign_in, sign_up
from tests.registration.stored import rows

Use = Callable[[Services, str], object]
NEW_PASSWORD = {"password": "a brand new horse", "confirmPassword": "a brand new horse"}


@pytest.fixture
def rotated(services: Services) -> Services:
    """The services of a node that knows both secrets."""
    return replace(services, secret=Secret(b"n" * 32, services.secret))


@pytest.fixture
def ended(rotated: Services) -> Services:
    """The services of a node that knows the new secret only."""
    return replace(rotated, secret=Secret(b"n" * 32))


def ask_to_confirm(services: Services) -> None:
    sign_up(services, request())


def ask_to_reset(services: Services) -> None:
    member(services)
    request_reset(services, "ada@example.org", CLIENT)


def ask_to_move(services: Services) -> None:
    caller = caller_of(services, member(services).tokens)
    update_profile(services, caller, {"email": "new@example.org"}, CLIENT)


def use_confirmation(services: Services, key: str) -> object:
    return confirm(services, key)


def use_reset(services: Services, key: str) -> object:
    return reset(services, {"token": key, **NEW_PASSWORD}, CLIENT)


def use_change(services: Services, key: str) -> object:
    return confirm_email_change(services, key, CLIENT)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of link: how a mail with one is asked for, where it leads, and what it does."""

    ask: Callable[[Services], None]
    path: str
    use: Use
    success: type

    def mailed(self, services: Services, directory: Path) -> str:
        """The key in the mail that waits."""
        (message,) = [each for each in deliver(services, directory) if f"/{self.path}?" in text_of(each)]
        return key_in(message, self.path)


KINDS = [
    Kind(ask_to_confirm, "register/confirm", use_confirmation, Confirmed),
    Kind(ask_to_reset, "password/restore", use_reset, Done),
    Kind(ask_to_move, "register/confirm-email", use_change, Confirmed),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.path)
class TestLinks:
    def test_a_mail_that_waits_has_a_working_link(
        self, services: Services, rotated: Services, tmp_path: Path, kind: Kind
    ) -> None:
        """A mail that was promised before the rotation is written with the key that its customer's row knows."""
        kind.ask(services)
        assert isinstance(kind.use(rotated, kind.mailed(rotated, tmp_path)), kind.success)

    def test_a_link_that_was_mailed_works(
        self, services: Services, ended: Services, tmp_path: Path, kind: Kind
    ) -> None:
        """A link needs no secret once it is mailed: it works even after the end of the rotation."""
        kind.ask(services)
        assert isinstance(kind.use(ended, kind.mailed(services, tmp_path)), kind.success)


class TestRollOut:
    def test_a_node_a_step_behind_leaves_the_mail_to_the_others(
        self, services: Services, rotated: Services, tmp_path: Path
    ) -> None:
        """A node with only the former secret cannot write a mail of the new one: it waits, and is not given up."""
        sign_up(rotated, request())
        assert deliver(services, tmp_path) == []
        (waiting,) = rows(services.database, mail)
        assert (waiting["status"], waiting["attempts"]) == ("waiting", 1)

    def test_all_nodes_are_ready(self, services: Services, rotated: Services, ended: Services) -> None:
        """Nodes with the former secret, both or the new one are ready side by side, in the order of the roll-out."""
        for node in (services, rotated, services, ended, rotated, services):
            assert obstacle(node.database, keys_of_node(node.secret, node.signing_keys)) is None

    def test_mails_of_the_former_secret_are_counted(
        self, services: Services, rotated: Services, tmp_path: Path
    ) -> None:
        """Only mails that wait for the former secret keep a rotation from ending."""

        def count() -> int:
            return services.database.read(lambda connection: waiting_under(connection, services.secret))

        sign_up(rotated, request(email="bob@example.org"))
        assert count() == 0
        sign_up(services, request())
        assert count() == 1
        deliver(rotated, tmp_path)
        assert count() == 0


def test_erasure_finds_the_counts_of_before(services: Services, rotated: Services) -> None:
    """Erasure deletes the counts of an address under both secrets, and its proof looks for both."""
    mailbox = Budgets([Budget(Cost.MAIL, Payer.MAILBOX, Limit(99, 3600))])
    before, after = replace(services, budgets=mailbox), replace(rotated, budgets=mailbox)
    ada = with_traces_everywhere(before)
    traces = len(rows(services.database, attempt))
    sign_in(after, EMAIL, "wrong", CLIENT)
    request_reset(after, EMAIL, CLIENT)
    assert len(rows(services.database, attempt)) > traces
    person = Wanted([EMAIL, WAITING], [])
    anonymize(after, ada, None, CLIENT)
    looked = prove(after.database, after.secret, ada.customer.reference, person)
    assert isinstance(looked, list)
    assert [each.place for each in looked if each.found] == []


def test_the_proof_finds_counts_under_the_former_secret(services: Services, rotated: Services) -> None:
    """A count that was made under the former secret after the erasure is found by the proof."""
    ada = caller_of(services, member(services).tokens)
    anonymize(services, ada, None, CLIENT)
    sign_in(services, "ada@example.org", "wrong", CLIENT)
    looked = prove(rotated.database, rotated.secret, ada.customer.reference, Wanted(["ada@example.org"], []))
    assert isinstance(looked, list)
    assert "table attempt" in [each.place for each in looked if each.found]


def test_the_lock_out_begins_anew_and_ends_with_a_proof(services: Services, rotated: Services) -> None:
    """Under the new secret failures are counted from nothing; a reset ends the lock-out at nodes a step behind, too."""
    member(services)
    outcomes = [sign_in(services, "ada@example.org", "wrong", CLIENT) for _ in range(10)]
    assert [type(outcome) for outcome in outcomes] == [BadCredentials] * 9 + [TooManyAttempts]
    assert isinstance(sign_in(rotated, "ada@example.org", PASSWORD, CLIENT), Tokens)
    request_reset(rotated, "ada@example.org", CLIENT)
    (key,) = [
        reset_key(rotated.secret, row["token_id"]) for row in rows(services.database, mail) if row["kind"] == "reset"
    ]
    assert use_reset(rotated, key) == Done()
    assert isinstance(sign_in(services, "ada@example.org", NEW_PASSWORD["password"], CLIENT), Tokens)


def test_an_idempotency_key_of_before_is_recalled(services: Services, rotated: Services) -> None:
    """The replay of a sign-up that was made before the rotation is answered with its customer."""
    asked = {"idempotencyKey": "0123456789abcdef"}
    first = sign_up(services, request(**asked))
    assert isinstance(first, Registered)
    again = sign_up(rotated, request(**asked))
    assert isinstance(again, Registered)
    assert again.customer == first.customer
    assert read_handle(rotated.secret, again.handle) == read_handle(rotated.secret, first.handle) is not None
    assert sign_up(rotated, request(firstName="Eve", **asked)) == IdempotencyConflict()

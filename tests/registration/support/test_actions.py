"""What operators do for customers: each act has its effect, and an audit row with the operator's name."""

from contextlib import closing
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from harness.ports import free_port
from registration.customer import Gender
from registration.hashing.passwords import Passwords, Verdict
from registration.keys.link_keys import digest
from registration.limits.lockout import LockoutTerms
from registration.limits.redis_lockout import RedisLockout
from registration.outcomes import BadCredentials, RefreshRefused, Tokens, TooManyAttempts
from registration.records.audit import AuditKind
from registration.rules.person import PersonPolicy
from registration.services import Services
from registration.sessions.access_tokens import BadToken, Caller
from registration.sessions.sessions import refresh
from registration.storage.database import Unavailable
from registration.storage.tables import audit, confirmation_token, customer, mail, session
from registration.support import actions, search
from registration.support.actions import ActionOutcome, act
from registration.support.export import export
from registration.support.operator import NAME_LENGTH, Operator
from registration.support.search import Names, Page, Place
from tests.registration.callers import authenticate
from tests.registration.forms import PASSWORD, request
from tests.registration.members import CLIENT, confirmed, member, signed_in
from tests.registration.signing import sign_in, sign_up
from tests.registration.stored import rows

OLGA = Operator("olga")
ADA = "ada@example.org"


def operators(services: Services) -> list[tuple[str, str]]:
    """What operators did, and which."""
    return [(row["kind"], row["operator"]) for row in rows(services.database, audit) if row["operator"]]


def only_reference(services: Services) -> str:
    [row] = rows(services.database, customer)
    return str(row["reference"])


class TestBlock:
    def test_a_blocked_customer_cannot_sign_in_and_tokens_die(self, services: Services) -> None:
        """Blocking ends every session and refuses the right password as a wrong one, until it is taken back."""
        ada = member(services)
        reference = ada.customer.reference
        assert isinstance(authenticate(services, ada.tokens.access_token), Caller)
        assert act(services, OLGA, reference, AuditKind.BLOCK, actions.block) is ActionOutcome.DONE
        assert authenticate(services, ada.tokens.access_token) is BadToken.REVOKED
        assert refresh(services, ada.tokens.refresh_token, CLIENT) == RefreshRefused()
        assert sign_in(services, ADA, PASSWORD, CLIENT) == BadCredentials()
        assert act(services, OLGA, reference, AuditKind.BLOCK, actions.block) is ActionOutcome.BLOCKED_ALREADY
        assert act(services, OLGA, reference, AuditKind.UNBLOCK, actions.unblock) is ActionOutcome.DONE
        assert act(services, OLGA, reference, AuditKind.UNBLOCK, actions.unblock) is ActionOutcome.NOT_BLOCKED
        assert isinstance(sign_in(services, ADA, PASSWORD, CLIENT), Tokens)
        assert operators(services) == [("block", "olga"), ("unblock", "olga")]

    def test_a_sign_in_in_flight_does_not_slip_through(self, services: Services) -> None:
        """A block between the look at the password and the new session is seen: no session is opened."""
        ada = confirmed(services)

        class BlocksMeanwhile(Passwords):
            def verify(self, encoded: str | None, password: str, *older_forms: str) -> Verdict:
                verdict = super().verify(encoded, password, *older_forms)
                act(services, OLGA, ada.reference, AuditKind.BLOCK, actions.block)
                return verdict

        with closing(BlocksMeanwhile(memory_kib=8, time_cost=1, parallelism=1, slots=1)) as passwords:
            assert sign_in(replace(services, passwords=passwords), ADA, PASSWORD, CLIENT) == BadCredentials()
        assert rows(services.database, session) == []

    def test_a_token_of_a_blocked_customer_is_no_token(self, services: Services) -> None:
        """Should a session be left, its access token is refused all the same."""
        ada = member(services)
        services.database.write(
            lambda connection: connection.execute(text("UPDATE customer SET blocked_at = created_at"))
        )
        assert authenticate(services, ada.tokens.access_token) is BadToken.REVOKED


class TestOtherActs:
    def test_confirm_and_resend(self, services: Services) -> None:
        """A pending customer gets a new mail with a key of its own, or is confirmed; a confirmed one gets neither."""
        sign_up(services, request())
        reference = only_reference(services)
        assert act(services, OLGA, reference, AuditKind.OPERATOR_RESEND, actions.resend) is ActionOutcome.DONE
        assert [row["kind"] for row in rows(services.database, mail)] == ["confirmation", "confirmation"]
        assert len(rows(services.database, confirmation_token)) == 2
        off = replace(services, confirmation=None)
        assert act(off, OLGA, reference, AuditKind.OPERATOR_RESEND, actions.resend) is ActionOutcome.NO_CONFIRMATION
        assert act(services, OLGA, reference, AuditKind.OPERATOR_CONFIRM, actions.confirm) is ActionOutcome.DONE
        assert isinstance(sign_in(services, ADA, PASSWORD, CLIENT), Tokens)
        for kind, action in (
            (AuditKind.OPERATOR_CONFIRM, actions.confirm),
            (AuditKind.OPERATOR_RESEND, actions.resend),
        ):
            assert act(services, OLGA, reference, kind, action) is ActionOutcome.CONFIRMED_ALREADY
        assert operators(services) == [("operator resend", "olga"), ("operator confirm", "olga")]

    def test_end_sessions(self, services: Services) -> None:
        """Every session ends, and the customer can sign in again."""
        ada = member(services)
        act(services, OLGA, ada.customer.reference, AuditKind.OPERATOR_SIGN_OUT, actions.sign_out)
        assert authenticate(services, ada.tokens.access_token) is BadToken.REVOKED
        assert isinstance(authenticate(services, signed_in(services).access_token), Caller)

    def test_unlock(self, services: Services) -> None:
        """After too many wrong passwords an operator lets the right one in."""
        ada = confirmed(services)
        for _ in range(9):
            sign_in(services, ADA, "wrong", CLIENT)
        assert isinstance(sign_in(services, ADA, PASSWORD, CLIENT), TooManyAttempts)
        assert actions.unlock(services, OLGA, ada.reference) is ActionOutcome.DONE
        assert isinstance(sign_in(services, ADA, PASSWORD, CLIENT), Tokens)
        assert actions.unlock(services, OLGA, "DE--999") is ActionOutcome.NO_CUSTOMER

    def test_unlock_while_the_counts_are_away(self, services: Services) -> None:
        """When the server that counts does not answer, the operator is told so, and no row says that it was done."""
        ada = confirmed(services)
        away = RedisLockout(f"redis://127.0.0.1:{free_port()}/0", LockoutTerms())
        with closing(away), pytest.raises(Unavailable):
            actions.unlock(replace(services, lockout=away), OLGA, ada.reference)
        assert operators(services) == []

    def test_correct(self, services: Services) -> None:
        """A name is corrected by the rules of the customer's own changes."""
        ada = confirmed(services)
        assert actions.correct(services, OLGA, ada.reference, {"lastName": "King"}) is ActionOutcome.DONE
        [row] = rows(services.database, customer)
        assert (row["first_name"], row["last_name"]) == ("Ada", "King")
        refused = actions.correct(services, OLGA, ada.reference, {"lastName": "x" * 101})
        assert isinstance(refused, list)
        assert [violation.attribute for violation in refused] == ["lastName"]

    def test_correct_by_the_rules_of_the_form(self, services: Services) -> None:
        """A gender that the form offers can be chosen, and what it requires cannot be cleared."""
        ada = confirmed(services)
        own = replace(services, of_person=PersonPolicy(frozenset({"lastName"}), tuple(Gender)))
        assert actions.correct(own, OLGA, ada.reference, {"gender": "Other", "firstName": None}) is ActionOutcome.DONE
        assert isinstance(actions.correct(own, OLGA, ada.reference, {"lastName": None}), list)
        [row] = rows(services.database, customer)
        assert (row["gender"], row["first_name"], row["last_name"]) == (Gender.OTHER, None, ada.last_name)

    def test_erase(self, services: Services) -> None:
        """A confirmed customer is erased as on the customer's own wish; a pending one leaves no row."""
        ada = confirmed(services)
        assert actions.erase(services, OLGA, ada.reference) is ActionOutcome.DONE
        [row] = rows(services.database, customer)
        assert (row["anonymized_at"] is not None, row["last_name"]) == (True, None)
        assert actions.erase(services, OLGA, ada.reference) is ActionOutcome.ERASED
        sign_up(services, request(email="bob@example.org"))
        pending = next(each["reference"] for each in rows(services.database, customer) if each["email"][:3] == "bob")
        assert actions.erase(services, OLGA, pending) is ActionOutcome.DONE
        assert len(rows(services.database, customer)) == 1
        assert operators(services) == [("operator erase", "olga")] * 2

    def test_an_erasure_and_its_audit_row_are_one(self, services: Services) -> None:
        """A transaction that fails at the audit row of the operator leaves the customer as it was."""
        ada = confirmed(services)
        broken = replace(services, new_id=lambda: UUID(int=1))  # the second audit row has the id of the first
        with pytest.raises(IntegrityError):
            actions.erase(broken, OLGA, ada.reference)
        [row] = rows(services.database, customer)
        assert row["anonymized_at"] is None

    def test_nothing_is_recorded_that_was_not_done(self, services: Services) -> None:
        """An unknown reference has no row, and a long name of an operator is cut."""
        assert act(services, OLGA, "DE--1", AuditKind.BLOCK, actions.block) is ActionOutcome.NO_CUSTOMER
        assert operators(services) == []
        search.find(services, Operator("o" * 99), "X")
        assert operators(services) == [("operator find", "o" * NAME_LENGTH)]


class TestFind:
    @pytest.fixture
    def people(self, services: Services) -> None:
        for number, name in enumerate(("Meier", "Meyer", "meinert", "Śmei", "Mei%")):
            sign_up(services, request(email=f"{number}@example.org", lastName=name))

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ("Mei", {"Meier", "Mei%"}),
            ("mei", {"Meier", "Mei%", "meinert"}),
            ("Ś", {"Śmei"}),
            ("Mei%", {"Mei%"}),
            ("1@EXAMPLE.org", {"Meyer"}),
            ("9@example.org", set()),
            ("@", set()),
            ("DE--999", set()),
        ],
    )
    @pytest.mark.usefixtures("people")
    def test_by_name_address_or_reference(self, services: Services, wanted: str, found: set[str]) -> None:
        """A name is found by how it begins, also with a small letter; an address and a reference as a whole."""
        assert {row.last_name for row in search.find(services, OLGA, wanted).rows} == found

    @pytest.mark.usefixtures("people")
    def test_a_reference_finds_one(self, services: Services) -> None:
        """A whole reference finds its customer; the number of answers has a bound."""
        [first, *_] = rows(services.database, customer)
        [row] = search.find(services, OLGA, first["reference"]).rows
        assert row.id == first["id"]
        assert len(search.find(services, OLGA, "M", limit=2).rows) == 2

    def test_pages_follow_each_other(self, services: Services) -> None:
        """Pages hold every customer of the beginning once, in the order of bytes, also where many have one name."""
        for number, name in enumerate(("meinert", "Meier", "Meier", "Mei", "Meier", "Mex", "Meier", "mei")):
            sign_up(services, request(email=f"{number}@example.org", lastName=name))
        pages: list[Page] = [search.find(services, OLGA, "mei", 2)]
        while pages[-1].end:
            pages.append(search.find(services, OLGA, "mei", 2, pages[-1].end))
        names = [row.last_name for page in pages for row in page.rows]
        assert names == ["Mei", "Meier", "Meier", "Meier", "Meier", "mei", "meinert"]
        assert len({row.id for page in pages for row in page.rows}) == len(names)
        assert [len(page.rows) for page in pages] == [2, 2, 2, 1]

    def test_a_place_behind_all_ends_the_pages(self, services: Services) -> None:
        """Behind a name that sorts after everything wanted there is nothing."""
        confirmed(services)
        assert search.find(services, OLGA, "Bei", after=Place("Z", UUID(int=1))) == Page([])

    def test_what_no_name_holds_is_not_found(self, services: Services) -> None:
        """A text with a control character or half a character finds no customer, and is no fault."""
        for wanted in ("Bei\0", "\ud800", "\0@example.org", "DE--\0"):
            assert search.find(services, OLGA, wanted) == Page([])
            assert actions.show(services, OLGA, wanted) is ActionOutcome.NO_CUSTOMER

    @pytest.mark.usefixtures("people")
    def test_names_are_found_by_the_index(self, services: Services) -> None:
        """The database reads names in the order of the index: it neither reads the whole table nor sorts."""

        def plan(connection: Connection) -> str:
            is_postgresql = services.database.dialect == "postgresql"
            if is_postgresql:  # a table with few rows is read as a whole otherwise
                connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            names = Names(services.database.dialect)
            statement = names.in_order(names.compare(">=", "Mei"), names.compare("<", "Mej")).limit(9)
            compiled = statement.compile(connection.engine, compile_kwargs={"literal_binds": True})
            explain = "EXPLAIN " if is_postgresql else "EXPLAIN QUERY PLAN "
            return str(connection.exec_driver_sql(explain + str(compiled).replace("%%", "%")).all())

        found = services.database.write(plan)
        assert "ix_customer_last_name" in found
        assert "sort" not in found.lower()
        assert "temp b-tree" not in found.lower()


class TestExport:
    def test_has_every_personal_value_and_no_credential(self, services: Services) -> None:
        """Names, address, the clients of the audit trail and moments are there; no hash, key or digest is."""
        ada = member(services)
        found = export(services, OLGA, ada.customer.reference)
        assert found is not None
        assert {"customer", "email_claim", "session", "audit", "mail", "event"} <= found.keys()
        [row] = found["customer"]
        assert (row["first_name"], row["email"], row["reference"]) == ("Ada", ADA, ada.customer.reference)
        assert {entry["client_address"] for entry in found["audit"]} >= {CLIENT}
        [stored] = rows(services.database, customer)
        secrets = (stored["password_hash"], digest(ada.tokens.refresh_token), ada.tokens.access_token)
        assert not [secret for secret in secrets if secret in repr(found)]
        assert operators(services) == [("operator export", "olga")]

    def test_needs_a_customer(self, services: Services) -> None:
        """An unknown reference has no export, and no row."""
        assert export(services, OLGA, "DE--1") is None
        assert operators(services) == []

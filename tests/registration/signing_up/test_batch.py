"""Sign-ups under way together: each is answered as if it were alone."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import event

from registration.customer import Customer
from registration.outcomes import Accepted, EmailTaken, IdempotencyConflict, Invalid, Registered, SignUpOutcome
from registration.services import Services
from registration.signing_up.batch import MAX_BATCH, SignUpBatcher
from registration.signing_up.commit import commit
from registration.signing_up.confirmation import confirm
from registration.signing_up.new_account import PreparedSignUp
from registration.signing_up.sign_up import SignUpRequest, prepare, sign_up
from registration.storage.database import open_database
from registration.storage.references import References
from tests.clock import Clock
from tests.registration.forms import request
from tests.registration.statements import statements_of
from tests.registration.stored import counts, customers, keys

# A broken group commit answers no sign-up, and every test would wait for ever.
pytestmark = pytest.mark.seconds(10)
KEY = "idempotency-key-1"


def pending(number: int) -> dict[str, int]:
    """What so many new customers leave in the database."""
    return dict.fromkeys(("audit", "confirmation_token", "customer", "email_claim", "event", "mail"), number)


def together(services: Services, *requests: SignUpRequest) -> list[SignUpOutcome]:
    """What requests are answered that meet in one transaction."""
    drafts = [prepare(services, each) for each in requests]
    return commit(services, [draft for draft in drafts if isinstance(draft, PreparedSignUp)])


def customers_of(outcomes: list[SignUpOutcome]) -> list[Customer]:
    assert all(isinstance(outcome, Registered) for outcome in outcomes)
    return [outcome.customer for outcome in outcomes if isinstance(outcome, Registered)]


class TestInOneTransaction:
    def test_each_is_registered(self, services: Services) -> None:
        """In the order in which they came, whatever the order of their addresses."""
        names = ["eve", "Ada", "bob"]
        outcomes = together(services, *(request(email=f"{name}@example.org", firstName=name) for name in names))
        assert [(new.email, new.first_name) for new in customers_of(outcomes)] == [
            (f"{name}@example.org", name) for name in names
        ]
        assert counts(services.database) == pending(3)
        for key in keys(services.database, services.secret):
            confirm(services, key)
        assert sorted(customers(services.database)) == sorted((f"{name}@example.org", name) for name in names)

    def test_costs_no_more_statements_than_one(self, services: Services) -> None:
        """That is what the company is for."""
        for number in (1, MAX_BATCH):
            requests = [request(email=f"{number}-{each}@example.org") for each in range(number)]
            _, said = statements_of(lambda requests=requests: together(services, *requests))  # type: ignore[misc]
            inserts = [statement for statement in said if "INSERT" in statement]
            assert len(inserts) == 6

    def test_addresses_are_claimed_in_their_order(self, services: Services) -> None:
        """Two nodes that write the same addresses in batches cannot deadlock, because both claim them in this order."""
        claimed: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
            if "INSERT INTO email_claim" in statement:
                claimed.extend(re.findall(r"\w+@example\.org", str(parameters)))

        event.listen(services.database.engine, "before_cursor_execute", note)
        together(services, *(request(email=f"{name}@example.org") for name in ("eve", "ada", "zoe", "bob")))
        assert claimed == [f"{name}@example.org" for name in ("ada", "bob", "eve", "zoe")]

    def test_first_of_an_address_gets_it(self, services: Services) -> None:
        """The same people as if they had come one after the other."""
        outcomes = together(services, *(request(firstName=name) for name in ("Ada", "Eve", "Mallory")))
        assert customers_of(outcomes[:1])[0].first_name == "Ada"
        assert outcomes[1:] == [EmailTaken(), EmailTaken()]
        assert counts(services.database) == pending(1)

    def test_taken_address_is_that_of_one_alone(self, services: Services) -> None:
        """The others are registered all the same."""
        together(services, request())
        outcomes = together(services, request(email="bob@example.org"), request(), request(email="eve@example.org"))
        assert outcomes[1] == EmailTaken()
        assert len(customers_of([outcomes[0], outcomes[2]])) == 2
        assert counts(services.database) == pending(3)

    def test_address_whose_confirmation_ran_out_is_free(self, services: Services, clock: Clock) -> None:
        """The second of a group can take it as the first can."""
        together(services, request())
        clock.now += timedelta(days=2)
        outcomes = together(services, request(email="bob@example.org"), request(firstName="Eve"))
        assert [new.first_name for new in customers_of(outcomes)] == ["Ada", "Eve"]
        assert customers(services.database) == [("ada@example.org", "Eve"), ("bob@example.org", "Ada")]

    def test_idempotency_keys_are_kept(self, services: Services) -> None:
        """Twins in one group are one customer; another form with the key is a conflict."""
        twin = request(idempotencyKey=KEY)
        outcomes = together(
            services, twin, request(email="bob@example.org"), twin, request(idempotencyKey=KEY, firstName="Eve")
        )
        first, _, second = customers_of(outcomes[:3])
        assert first == second
        assert outcomes[3] == IdempotencyConflict()
        assert counts(services.database) == pending(2) | {"idempotency": 1}

    def test_conceals(self, services: Services) -> None:
        """New and known addresses are answered alike, and both leave the same number of rows."""
        concealing = replace(services, conceal=True)
        together(concealing, request())
        before = counts(services.database)
        assert together(concealing, request(), request(email="bob@example.org")) == [Accepted(), Accepted()]
        after = counts(services.database)
        assert {name: after[name] - before[name] for name in after} == dict.fromkeys(after, 2)
        people = [(email, name) for email, name in customers(services.database) if name]
        assert people == [("ada@example.org", "Ada"), ("bob@example.org", "Ada")]

    def test_mail_is_announced_once(self, services: Services) -> None:
        """When all of them are committed."""
        posted: list[None] = []
        listening = replace(services, on_mail_enqueued=lambda: posted.append(None))
        together(listening, request(), request(email="bob@example.org"))
        assert posted == [None]


class TestPipeline:
    @pytest.fixture
    def sign_ups(self, services: Services) -> Iterator[SignUpBatcher]:
        sign_ups = SignUpBatcher(services)
        yield sign_ups
        sign_ups.close()

    def test_answers_as_sign_up_does(self, services: Services, sign_ups: SignUpBatcher) -> None:
        """Those that need no transaction, too."""
        outcomes = [
            sign_up(services, sign_ups, each).result() for each in (request(), request(firstName=""), request())
        ]
        assert isinstance(outcomes[0], Registered)
        assert isinstance(outcomes[1], Invalid)
        assert outcomes[2] == EmailTaken()
        assert counts(services.database) == pending(1)

    def test_crowd_shares_transactions(self, services: Services, sign_ups: SignUpBatcher) -> None:
        """Everybody is registered, in fewer transactions than there are people."""
        commits: list[object] = []
        event.listen(services.database.engine, "commit", commits.append)
        outcomes = [sign_up(services, sign_ups, request(email=f"{number}@example.org")) for number in range(40)]
        references = {new.reference for new in customers_of([outcome.result() for outcome in outcomes])}
        assert len(references) == 40
        assert counts(services.database) == pending(40)
        assert len(commits) < 40

    def test_closing_waits_for_all(self, services: Services) -> None:
        """What has begun is not left half done."""
        closing = SignUpBatcher(services)
        outcomes = [sign_up(services, closing, request(email=f"{number}@example.org")) for number in range(20)]
        closing.close()
        assert all(outcome.done() for outcome in outcomes)
        assert counts(services.database) == pending(20)

    def test_cannot_be_cancelled(self, services: Services, sign_ups: SignUpBatcher) -> None:
        """Who gives up waiting takes nothing back, and disturbs nobody in the same group."""
        first, second = (
            sign_up(services, sign_ups, request()),
            sign_up(services, sign_ups, request(email="bob@example.org")),
        )
        assert not first.cancel()
        assert len(customers_of([first.result(), second.result()])) == 2

    def test_fault_before_the_hash_is_its_own(self, services: Services) -> None:
        """And nobody waits for the one that does not come."""

        class Broken(References):
            def draw(self) -> str:
                raise RuntimeError("the counter is on fire")

        without_counter = replace(services, references=Broken(services.database, "DE"))
        broken = SignUpBatcher(without_counter)
        with pytest.raises(RuntimeError, match="on fire"):
            sign_up(without_counter, broken, request()).result()
        broken.close()
        assert counts(services.database) == {}


@pytest.fixture
def on_postgresql(postgresql_url: str, services: Services) -> Iterator[Services]:
    """SQLite has one lock for all, so nobody can hold one address only."""
    database = open_database(postgresql_url)
    yield replace(services, database=database, references=References(database, "DE"))
    database.close()


class TestLocks:
    def test_address_that_another_holds_stops_nobody_else(self, on_postgresql: Services, postgresql_url: str) -> None:
        """A node that stands still in its transaction, say; who wants that address waits for it."""
        sign_ups = SignUpBatcher(on_postgresql)
        with psycopg.connect(postgresql_url) as other:
            other.execute("INSERT INTO email_claim VALUES ('ada@example.org', %s)", [uuid4()])
            held = [sign_up(on_postgresql, sign_ups, request()) for _ in range(3)]
            others = [sign_up(on_postgresql, sign_ups, request(email=f"{number}@example.org")) for number in range(20)]
            assert len(customers_of([outcome.result() for outcome in others])) == 20
            assert not any(outcome.done() for outcome in held)
            other.rollback()
        outcomes = [outcome.result() for outcome in held]
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["EmailTaken", "EmailTaken", "Registered"]
        sign_ups.close()

    def test_keys_and_addresses_are_never_held_together(self, on_postgresql: Services) -> None:
        """By a group: else two nodes could wait in a circle, each for what the other holds."""
        requests = [request(), request(email="bob@example.org", idempotencyKey=KEY)]
        drafts = [prepare(on_postgresql, each) for each in requests]
        commits: list[object] = []
        event.listen(on_postgresql.database.engine, "commit", commits.append)
        commit(on_postgresql, [draft for draft in drafts if isinstance(draft, PreparedSignUp)])
        assert len(commits) == 2

"""Sign-ups in flight, committed in batches: each has the outcome that it would have alone."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import event

from registration.customer import Customer
from registration.hashing.batch import MAX_BATCH
from registration.outcomes import EmailTaken, IdempotencyConflict, Invalid, Registered, SignUpAccepted, SignUpOutcome
from registration.services import Services
from registration.signing_up.batch import SignUpBatcher
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

# A broken group commit completes no sign-up, and every test would wait for ever.
pytestmark = pytest.mark.seconds(10)
KEY = "idempotency-key-1"


def pending(number: int) -> dict[str, int]:
    """The rows, by table, of this number of new customers."""
    return dict.fromkeys(("audit", "confirmation_token", "customer", "email_claim", "event", "mail"), number)


def together(services: Services, *requests: SignUpRequest) -> list[SignUpOutcome]:
    """The outcomes of requests whose sign-ups are committed in one transaction."""
    prepared = [prepare(services, each) for each in requests]
    outcomes = commit(services, [each for each in prepared if isinstance(each, PreparedSignUp)])
    return [each for each in outcomes if not isinstance(each, Exception)]


def customers_of(outcomes: list[SignUpOutcome]) -> list[Customer]:
    assert all(isinstance(outcome, Registered) for outcome in outcomes)
    return [outcome.customer for outcome in outcomes if isinstance(outcome, Registered)]


class TestInOneTransaction:
    def test_outcomes_are_in_the_order_of_the_sign_ups(self, services: Services) -> None:
        """Sign-ups in one transaction are registered with outcomes in their own order, not in that of addresses."""
        names = ["eve", "Ada", "bob"]
        outcomes = together(services, *(request(email=f"{name}@example.org", firstName=name) for name in names))
        assert [(new.email, new.first_name) for new in customers_of(outcomes)] == [
            (f"{name}@example.org", name) for name in names
        ]
        assert counts(services.database) == pending(3)
        for key in keys(services.database, services.secret):
            confirm(services, key)
        assert sorted(customers(services.database)) == sorted((f"{name}@example.org", name) for name in names)

    def test_a_full_batch_runs_as_many_inserts_as_one_sign_up(self, services: Services) -> None:
        """A batch of the greatest size runs as many INSERT statements as a single sign-up."""
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
        """Of several sign-ups for one address in a batch the first gets it; the others are told that it is taken."""
        outcomes = together(services, *(request(firstName=name) for name in ("Ada", "Eve", "Mallory")))
        assert customers_of(outcomes[:1])[0].first_name == "Ada"
        assert outcomes[1:] == [EmailTaken(), EmailTaken()]
        assert counts(services.database) == pending(1)

    def test_taken_address_refuses_only_its_sign_up(self, services: Services) -> None:
        """A taken address refuses its own sign-up; the others of the batch are registered."""
        together(services, request())
        outcomes = together(services, request(email="bob@example.org"), request(), request(email="eve@example.org"))
        assert outcomes[1] == EmailTaken()
        assert len(customers_of([outcomes[0], outcomes[2]])) == 2
        assert counts(services.database) == pending(3)

    def test_expired_address_is_free(self, services: Services, clock: Clock) -> None:
        """The second sign-up of a batch replaces an expired account as a sign-up alone does."""
        together(services, request())
        clock.now += timedelta(days=2)
        outcomes = together(services, request(email="bob@example.org"), request(firstName="Eve"))
        assert [new.first_name for new in customers_of(outcomes)] == ["Ada", "Eve"]
        assert customers(services.database) == [("ada@example.org", "Eve"), ("bob@example.org", "Ada")]

    def test_idempotency_keys_hold_within_a_batch(self, services: Services) -> None:
        """In one batch two equal requests with a key are one customer, and other input with that key is a conflict."""
        twin = request(idempotencyKey=KEY)
        outcomes = together(
            services, twin, request(email="bob@example.org"), twin, request(idempotencyKey=KEY, firstName="Eve")
        )
        first, _, second = customers_of(outcomes[:3])
        assert first == second
        assert outcomes[3] == IdempotencyConflict()
        assert counts(services.database) == pending(2) | {"idempotency": 1}

    def test_idempotency_keys_hold_within_a_concealed_batch(self, services: Services) -> None:
        """In conceal mode the twin of a request gets the same handle; other input with its key is a conflict."""
        twin = request(idempotencyKey=KEY)
        other = request(idempotencyKey=KEY, firstName="Eve")
        outcomes = together(replace(services, conceal=True), twin, twin, other)
        assert isinstance(outcomes[0], SignUpAccepted)
        assert outcomes[0] == outcomes[1]
        assert outcomes[2] == IdempotencyConflict()
        assert len(customers(services.database)) == 1

    def test_known_address_writes_as_many_rows(self, services: Services) -> None:
        """In conceal mode a known and a new address in one batch have the same outcome and write as many rows."""
        concealing = replace(services, conceal=True)
        together(concealing, request())
        before = counts(services.database)
        outcomes = together(concealing, request(), request(email="bob@example.org"))
        assert [type(outcome) for outcome in outcomes] == [SignUpAccepted] * 2
        after = counts(services.database)
        assert {name: after[name] - before[name] for name in after} == dict.fromkeys(after, 2)
        not_decoys = [(email, name) for email, name in customers(services.database) if name]
        assert not_decoys == [("ada@example.org", "Ada"), ("bob@example.org", "Ada")]

    def test_a_second_run_finds_its_own_rows(self, services: Services) -> None:
        """Sign-ups that are written again, when no run was seen before, have the same outcomes and no further rows."""
        asked = [request(), request(email="bob@example.org"), request(email="eve@example.org", idempotencyKey=KEY)]
        group = [each for each in (prepare(services, each) for each in asked) if isinstance(each, PreparedSignUp)]
        first, before = commit(services, group), counts(services.database)
        assert commit(services, group) == first
        assert counts(services.database) == before


class TestPipeline:
    @pytest.fixture
    def sign_ups(self, services: Services) -> Iterator[SignUpBatcher]:
        sign_ups = SignUpBatcher(services)
        yield sign_ups
        sign_ups.close()

    def test_outcomes_without_a_transaction_are_given(self, services: Services, sign_ups: SignUpBatcher) -> None:
        """The batcher gives the outcomes registered, invalid and taken, also where no transaction is needed."""
        outcomes = [
            sign_up(services, sign_ups, each).result() for each in (request(), request(firstName=""), request())
        ]
        assert isinstance(outcomes[0], Registered)
        assert isinstance(outcomes[1], Invalid)
        assert outcomes[2] == EmailTaken()
        assert counts(services.database) == pending(1)

    def test_many_share_transactions(self, services: Services, sign_ups: SignUpBatcher) -> None:
        """Forty sign-ups at once are all registered, in fewer than forty transactions."""
        commits: list[object] = []
        event.listen(services.database.engine, "commit", commits.append)
        outcomes = [sign_up(services, sign_ups, request(email=f"{number}@example.org")) for number in range(40)]
        references = {new.reference for new in customers_of([outcome.result() for outcome in outcomes])}
        assert len(references) == 40
        assert counts(services.database) == pending(40)
        assert len(commits) < 40

    def test_close_waits_for_sign_ups_in_flight(self, services: Services) -> None:
        """Closing the batcher waits until every submitted sign-up is committed."""
        closing = SignUpBatcher(services)
        outcomes = [sign_up(services, closing, request(email=f"{number}@example.org")) for number in range(20)]
        closing.close()
        assert all(outcome.done() for outcome in outcomes)
        assert counts(services.database) == pending(20)

    def test_cannot_be_cancelled(self, services: Services, sign_ups: SignUpBatcher) -> None:
        """The future of a sign-up cannot be cancelled, and the other sign-ups of its batch are committed."""
        first, second = (
            sign_up(services, sign_ups, request()),
            sign_up(services, sign_ups, request(email="bob@example.org")),
        )
        assert not first.cancel()
        assert len(customers_of([first.result(), second.result()])) == 2

    def test_fault_in_preparation_is_raised_to_its_caller(self, services: Services) -> None:
        """What is raised while a sign-up is prepared reaches its caller, and `close` does not wait for that sign-up."""

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
    """Services on PostgreSQL only: SQLite has one lock for all rows, so no transaction can hold a single address."""
    database = open_database(postgresql_url)
    yield replace(services, database=database, references=References(database, "DE"))
    database.close()


class TestLocks:
    def test_locked_address_delays_only_its_sign_ups(self, on_postgresql: Services, postgresql_url: str) -> None:
        """An address that a stuck node has locked delays only the sign-ups for it."""
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

    def test_idempotency_keys_and_addresses_are_locked_apart(self, on_postgresql: Services) -> None:
        """A sign-up with an idempotency key has a transaction of its own, or else two nodes could deadlock."""
        requests = [request(), request(email="bob@example.org", idempotencyKey=KEY)]
        prepared = [prepare(on_postgresql, each) for each in requests]
        commits: list[object] = []
        event.listen(on_postgresql.database.engine, "commit", commits.append)
        commit(on_postgresql, [each for each in prepared if isinstance(each, PreparedSignUp)])
        assert len(commits) == 2

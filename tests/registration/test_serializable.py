"""Use cases in contention on PostgreSQL with every write serialisable, as CockroachDB and YugabyteDB make them."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError

from registration.keys.link_keys import confirmation_key
from registration.limits.lockout import DatabaseLockout, LockoutTerms
from registration.outcomes import Confirmed, EmailTaken, Registered, TokenRefused, Tokens
from registration.services import Services
from registration.sessions.batch import SignInBatcher
from registration.sessions.sign_in import SignInRequest, sign_in
from registration.signing_up.batch import SignUpBatcher
from registration.signing_up.confirmation import confirm
from registration.signing_up.sign_up import sign_up
from registration.storage.database import Database, open_database
from registration.storage.outages import state_of
from registration.storage.references import References
from registration.storage.tables import attempt, customer, mail, session
from tests.registration.forms import PASSWORD, request
from tests.registration.members import CLIENT, confirmed
from tests.registration.stored import counts, rows

pytestmark = pytest.mark.seconds(60)
ADDRESSES, RIVALS, THREADS = 40, 6, 12
WAIT = 60  # seconds


@dataclass(frozen=True, slots=True)
class Node:
    services: Services
    sign_ups: SignUpBatcher
    sign_ins: SignInBatcher
    refused: Counter[str] = field(default_factory=Counter)
    """How often the engine refused a statement or a commit, by SQLSTATE."""


@contextmanager
def node(services: Services, url: str) -> Iterator[Node]:
    """A node of its own on this database, with every write serialisable."""
    with closing(open_database(url)) as database:
        lockout = DatabaseLockout(database, LockoutTerms(), services.clock)
        own = replace(services, database=database, references=References(database, "DE"), lockout=lockout)
        with closing(SignUpBatcher(own)) as sign_ups, closing(SignInBatcher(own)) as sign_ins:
            made = Node(own, sign_ups, sign_ins)
            make_serializable(database, made.refused)
            yield made


def make_serializable(database: Database, refused: Counter[str]) -> None:
    @event.listens_for(database.engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")

    @event.listens_for(database.engine, "handle_error")
    def _count(context: ExceptionContext) -> None:
        assert isinstance(context.sqlalchemy_exception, DBAPIError)
        refused[state_of(context.sqlalchemy_exception)] += 1


@pytest.fixture
def database(postgresql_url: str) -> Iterator[Database]:
    """The database of both nodes: SQLite has one writer at a time."""
    with closing(open_database(postgresql_url)) as database:
        yield database


@pytest.fixture
def nodes(services: Services, postgresql_url: str) -> Iterator[list[Node]]:
    with ExitStack() as running:
        yield [running.enter_context(node(services, postgresql_url)) for _ in range(2)]


def raced(nodes: list[Node], work: Callable[[Node, int], object]) -> Counter[object]:
    """Outcomes of work with each number, which rivals do at both nodes at the same time."""
    numbers = range(ADDRESSES * RIVALS)
    with ThreadPoolExecutor(THREADS) as threads:
        return Counter(threads.map(lambda number: work(nodes[number % 2], number // RIVALS), numbers))


def test_an_address_makes_one_customer(nodes: list[Node], database: Database) -> None:
    """Of the sign-ups that race for an address one is registered and all others are told, without an error."""

    def register(at: Node, number: int) -> object:
        return type(sign_up(at.services, at.sign_ups, request(email=f"{number}@example.org")).result(WAIT))

    assert raced(nodes, register) == {Registered: ADDRESSES, EmailTaken: ADDRESSES * (RIVALS - 1)}
    made = ("audit", "confirmation_token", "customer", "email_claim", "event", "mail")
    assert counts(database) == dict.fromkeys(made, ADDRESSES)


def test_a_key_confirms_once(nodes: list[Node], database: Database) -> None:
    """Of the clients that race with a key one confirms, although the engine refuses many of their transactions."""
    services = nodes[0].services
    for number in range(ADDRESSES):
        sign_up(services, nodes[0].sign_ups, request(email=f"{number}@example.org")).result(WAIT)
    keys = [confirmation_key(services.secret, row["token_id"]) for row in rows(database, mail)]
    found = raced(nodes, lambda at, number: type(confirm(at.services, keys[number])))
    assert found == {Confirmed: ADDRESSES, TokenRefused: ADDRESSES * (RIVALS - 1)}
    assert all(row["confirmed_at"] for row in rows(database, customer))
    assert sum(each.refused["40001"] for each in nodes) > ADDRESSES


def test_each_sign_in_opens_a_session(nodes: list[Node], database: Database) -> None:
    """Clients that sign in as the same customers at the same time have a session each, and no try is left counted."""
    for number in range(ADDRESSES):
        confirmed(nodes[0].services, email=f"{number}@example.org")

    def enter(at: Node, number: int) -> object:
        wanted = SignInRequest(f"{number}@example.org", PASSWORD, CLIENT)
        return type(sign_in(at.services, at.sign_ins, wanted).result(WAIT))

    assert raced(nodes, enter) == {Tokens: ADDRESSES * RIVALS}
    assert len(rows(database, session)) == ADDRESSES * RIVALS
    assert {row["count"] for row in rows(database, attempt)} <= {0}

"""Clients that sign up customers at some gateways, through both doors, until they are told to stop."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from threading import Event, Lock, Thread

from sqlalchemy import update

from harness.gateway import Gateway
from registration.storage.database import Database
from registration.storage.tables import confirmation_token, customer, email_claim, event, mail
from tests.faults.doors import DOORS, Answer
from tests.registration.stored import rows
from tests.waiting import eventually


@dataclass(frozen=True, slots=True)
class SignUp:
    """`answer` is None when the connection broke; `answered` is a moment of time.monotonic."""

    address: str
    answer: Answer | None
    answered: float
    seconds: float

    @property
    def is_registered(self) -> bool:
        return self.answer is not None and self.answer.verdict == "registered"


class Load:
    """What the clients have seen so far, by the gateway's number."""

    def __init__(self, gateways: int, clients: int) -> None:
        self.seen: list[list[SignUp]] = [[] for _ in range(gateways)]
        self.asking = [[Lock() for _ in range(clients)] for _ in range(gateways)]
        """Held by each client of each gateway while it waits for an answer."""

    @property
    def sign_ups(self) -> list[SignUp]:
        return [sign_up for at_one in self.seen for sign_up in at_one]

    @contextmanager
    def kept_from(self, gateway: int) -> Iterator[None]:
        """Let its clients wait, as a proxy does that leads nowhere there; begins when all have their answers."""
        with ExitStack() as held:
            for lock in self.asking[gateway]:
                held.enter_context(lock)
            yield

    def wait_for_success(self, number: int = 20) -> None:
        """Return when each gateway has registered so many more customers."""
        wanted = [registered(at_one) + number for at_one in self.seen]
        eventually(lambda: all(registered(found) >= least for found, least in zip(self.seen, wanted, strict=True)))

    def gap(self, since: float) -> float:
        """The longest time since that moment in which no client was registered."""
        moments = sorted(each.answered for each in self.sign_ups if each.is_registered and each.answered >= since)
        return max(later - earlier for earlier, later in zip([since, *moments], moments, strict=False))


@contextmanager
def load(gateways: Sequence[Gateway], *, clients: int = 2, pause: float = 0.05) -> Iterator[Load]:
    """So many clients at each gateway, which wait so many seconds between two sign-ups."""
    found, done, numbers = Load(len(gateways), clients), Event(), count()

    def sign_up_again_and_again(at: int, asking: Lock) -> None:
        while not done.wait(pause):
            with asking:
                sign_up(at)

    def sign_up(at: int) -> None:
        number = next(numbers)
        address, sent = f"{number}@example.org", time.monotonic()
        answer = DOORS[number % 2](gateways[at], address)()
        answered = time.monotonic()
        found.seen[at].append(SignUp(address, answer, answered, answered - sent))

    places = [(at, asking) for at, locks in enumerate(found.asking) for asking in locks]
    threads = [Thread(target=sign_up_again_and_again, args=place) for place in places]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        done.set()
        for thread in threads:
            thread.join()


def registered(sign_ups: Sequence[SignUp]) -> int:
    return sum(sign_up.is_registered for sign_up in sign_ups)


def assert_all_stored(database: Database, sign_ups: Sequence[SignUp]) -> None:
    """Each acknowledged sign-up has its customer, and each customer has one claim, token, mail and event."""
    addresses = {sign_up.address for sign_up in sign_ups}
    stored = [row for row in rows(database, customer) if row["email"] in addresses]
    references = {row["email"]: row["reference"] for row in stored}
    acknowledged = {each.address: each.answer.reference for each in sign_ups if each.is_registered and each.answer}
    assert acknowledged.items() <= references.items()
    assert len(set(references.values())) == len(references) == len(stored)
    for table in (email_claim, confirmation_token, mail, event):
        found = Counter(row["customer_id"] for row in rows(database, table))
        assert {row["id"]: found[row["id"]] for row in stored} == {row["id"]: 1 for row in stored}, table.name


def wait_for_mails(database: Database) -> None:
    """Return when all mails are sent, or not needed any more."""
    with suppress(AssertionError):
        eventually(lambda: not unsent(database))
    left = unsent(database)
    assert not left, f"{len(left)} mails are left, such as {left[:3]}"


def unsent(database: Database) -> list[tuple[object, ...]]:
    """What the database says of each mail that waits or is parked."""
    told = ("status", "kind", "attempts", "due_at", "reason")
    unsent = [row for row in rows(database, mail) if row["status"] not in {"sent", "dropped"}]
    return [tuple(row[name] for name in told) for row in unsent]


def send_the_rest(database: Database) -> None:
    """Return when all mails are sent. Those that a relay had claimed before a fault wait for no lease."""
    now = datetime.now(UTC)
    late = update(mail).where(mail.c.status == "waiting").values(due_at=now)
    database.write(lambda connection: connection.execute(late).close())
    wait_for_mails(database)

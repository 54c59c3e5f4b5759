"""Clients that sign up customers at some gateways, through both doors, until they are told to stop."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from threading import Event, Thread

from harness.gateway import Gateway
from registration.storage.database import Database
from registration.storage.tables import confirmation_token, customer, email_claim, event, mail
from tests.faults.doors import DOORS, Answer
from tests.registration.stored import rows
from tests.waiting import eventually

CLIENTS = 2  # at each gateway
PAUSE = 0.05  # seconds between two sign-ups of a client


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

    def __init__(self, gateways: Sequence[Gateway]) -> None:
        self.seen: list[list[SignUp]] = [[] for _ in gateways]

    @property
    def sign_ups(self) -> list[SignUp]:
        return [sign_up for at_one in self.seen for sign_up in at_one]

    def wait_for_success(self, number: int = 20) -> None:
        """Return when each gateway has registered so many more customers."""
        wanted = [registered(at_one) + number for at_one in self.seen]
        eventually(lambda: all(registered(found) >= least for found, least in zip(self.seen, wanted, strict=True)))

    def gap(self, since: float) -> float:
        """The longest time since that moment in which no client was registered."""
        moments = sorted(each.answered for each in self.sign_ups if each.is_registered and each.answered >= since)
        return max(later - earlier for earlier, later in zip([since, *moments], moments, strict=False))


@contextmanager
def load(gateways: Sequence[Gateway]) -> Iterator[Load]:
    found, done, numbers = Load(gateways), Event(), count()

    def sign_up_again_and_again(at: int) -> None:
        while not done.wait(PAUSE):
            number = next(numbers)
            address, sent = f"{number}@example.org", time.monotonic()
            answer = DOORS[number % 2](gateways[at], address)()
            answered = time.monotonic()
            found.seen[at].append(SignUp(address, answer, answered, answered - sent))

    places = [at for at in range(len(gateways)) for _ in range(CLIENTS)]
    clients = [Thread(target=sign_up_again_and_again, args=[at]) for at in places]
    for client in clients:
        client.start()
    try:
        yield found
    finally:
        done.set()
        for client in clients:
            client.join()


def registered(sign_ups: Sequence[SignUp]) -> int:
    return sum(sign_up.is_registered for sign_up in sign_ups)


def assert_all_stored(database: Database, sign_ups: Sequence[SignUp]) -> None:
    """Each acknowledged sign-up has its customer, with one claim, token, mail and event; nothing else is there."""
    found = {row["id"]: row for row in rows(database, customer)}
    stored = {row["email"]: row["reference"] for row in found.values()}
    acknowledged = {each.address: each.answer.reference for each in sign_ups if each.is_registered and each.answer}
    assert acknowledged.items() <= stored.items()
    assert stored.keys() <= {sign_up.address for sign_up in sign_ups}
    assert len(set(stored.values())) == len(stored) == len(found)
    for table in (email_claim, confirmation_token, mail, event):
        assert Counter(row["customer_id"] for row in rows(database, table)) == dict.fromkeys(found, 1), table.name

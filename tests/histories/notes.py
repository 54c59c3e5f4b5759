"""Notes: what the clients of a history know, all together, of accounts, sessions, letters and forms."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from tests.histories.checker.operation import Kind, Operation
from tests.histories.wire import Answer, Pair, Request

Item = TypeVar("Item")
Account = tuple[str, str]
"""An address and a password that work together, or have worked, or perhaps will."""
KEPT = 48
"""Of each sort. Old ones are used, too: passwords that were changed, sessions that have ended, keys that were used."""


def newest() -> deque[Item]:
    return deque(maxlen=KEPT)


@dataclass(slots=True)
class Notes:
    """The newest of what was seen; read and written by many threads."""

    accounts: deque[Account] = field(default_factory=newest)
    sessions: deque[tuple[Account, Pair]] = field(default_factory=newest)
    forms: deque[Request] = field(default_factory=newest)
    letters: dict[Kind, deque[Operation]] = field(
        default_factory=lambda: {kind: newest() for kind in (Kind.CONFIRM, Kind.RESET, Kind.CONFIRM_EMAIL)}
    )

    def file(self, letter: Operation) -> None:
        self.letters[Kind(letter.given["use"])].append(letter)

    def learn(self, request: Request, answer: Answer) -> None:
        """Note what an operation gave its client, or perhaps gave it."""
        email, password = request.account
        match request.kind:
            case Kind.SIGN_UP | Kind.RESET:
                self.accounts.append((request.given["email"], request.given["password"]))
            case Kind.CHANGE_PASSWORD:
                self.accounts.append((email, request.given["password"]))
            case Kind.CHANGE_EMAIL:
                self.accounts.append((request.given["email"], password))
        if request.kind is Kind.SIGN_UP and "key" in request.given:
            self.forms.append(request)
        if answer.pair:
            self.sessions.append((request.account, answer.pair))


def pick(random: Random, noted: Sequence[Item]) -> Item | None:
    """One of them, of which half are in the newest quarter; None if there is none."""
    return noted[-1 - int(len(noted) * random.random() ** 2)] if noted else None

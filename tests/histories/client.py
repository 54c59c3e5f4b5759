"""A client: sends random operations, and writes down what it asked and what it was told."""

import time
from collections.abc import Callable, Sequence
from random import Random

from harness.gateway import Gateway
from tests.faults.doors import FORM
from tests.histories.checker.operation import UNKNOWN, Kind, Operation
from tests.histories.notes import Account, Notes, pick
from tests.histories.wire import Answer, Request, name_of, send

WEIGHTS = {
    Kind.SIGN_UP: 14,
    Kind.CONFIRM: 12,
    Kind.SIGN_IN: 20,
    Kind.ME: 18,
    Kind.RENAME: 5,
    Kind.REFRESH: 10,
    Kind.END_SESSION: 2,
    Kind.SIGN_OUT: 3,
    Kind.CHANGE_PASSWORD: 3,
    Kind.REQUEST_RESET: 3,
    Kind.RESET: 3,
    Kind.CHANGE_EMAIL: 3,
    Kind.CONFIRM_EMAIL: 3,
    Kind.ERASE: 2,
}
AT_ONCE = {Kind.CONFIRM, Kind.REFRESH, Kind.RESET, Kind.CONFIRM_EMAIL, Kind.ERASE}
"""What a client sends twice at the same time, now and then, as by a double click; and a sign-up with a key."""
WITH_KEY, WITHOUT_KEY = BOXES = ("key", "box")
"""How addresses begin. Those of sign-ups with an idempotency key are not erased: a replay would sign up once more."""
ADDRESSES = 12
"""In use at a time, of either sort; in time the oldest goes, because it gets no more than some mails an hour."""
OPERATIONS_OF_AN_ADDRESS = 120
LETTERS = str.maketrans("0123456789", "abcdefghij")
PAUSE = 0.1
"""Seconds that a client waits after an answer that says nothing."""


class Client:
    """One thread's operations. `number` counts those of all clients, and chooses the addresses."""

    def __init__(self, name: str, random: Random, gateways: Sequence[Gateway], notes: Notes, domain: str) -> None:
        self._name = name
        self._random = random
        self._gateways = gateways
        self._notes = notes
        self._domain = domain
        self._made = 0
        self.history: list[Operation] = []

    def operate(self, number: int) -> int:
        """Send one operation, perhaps twice; returns how many a gateway took."""
        (kind,) = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))
        request = self._request(kind, number) or self._sign_up(number)
        can_repeat = request.kind in AT_ONCE or "key" in request.given
        twice = can_repeat and self._random.random() < 0.15
        return self.ask(request, 2 if twice else 1)

    def ask(self, request: Request, times: int = 1) -> int:
        """Send a request to so many gateways at once; returns how many took it."""
        gateways = self._random.sample(self._gateways, times)
        began = time.monotonic()
        waiting: list[Callable[[], Answer]] = []
        for gateway in gateways:
            try:
                waiting.append(send(gateway, request))
            except OSError:
                time.sleep(PAUSE / 4)
        for read in waiting:
            answer = read()
            self.history.append(self._operation(request, began, answer))
            if self.history[-1].may_be_done:
                self._notes.learn(request, answer)
            if answer.verdict == UNKNOWN:
                time.sleep(PAUSE)
        return len(waiting)

    def sign_in_everywhere(self) -> None:
        """Sign in with every address and password that the clients know, when all faults are over."""
        for account in list(self._notes.accounts):
            self.ask(_sign_in(account, by_rest=self._by_rest()))

    def _operation(self, request: Request, began: float, answer: Answer) -> Operation:
        door = "REST" if request.by_rest else "GraphQL"
        client = f"{self._name} by {door}"
        return Operation(request.kind, request.given, began, time.monotonic(), answer.verdict, answer.told, client)

    def _request(self, kind: Kind, number: int) -> Request | None:
        """A random request of a kind; None where the clients do not know yet what it needs."""
        match kind:
            case Kind.SIGN_UP:
                repeated = pick(self._random, self._notes.forms) if self._random.random() < 0.2 else None
                return repeated or self._sign_up(number)
            case Kind.SIGN_IN:
                account = pick(self._random, self._notes.accounts)
                return _sign_in(account, by_rest=self._by_rest()) if account else None
            case Kind.REQUEST_RESET:
                email = self._address(number, self._random.choice(BOXES))
                return Request(kind, {"email": email}, {"email": email})
            case Kind.CONFIRM | Kind.RESET | Kind.CONFIRM_EMAIL:
                return self._by_letter(kind)
            case _:
                return self._signed_in(kind, number)

    def _sign_up(self, number: int) -> Request:
        name, box = self._first_name("Ada"), self._random.choice(BOXES)
        given = {"email": self._address(number, box), "password": self._word("secret-"), "name": name}
        sent = FORM | {"salutation": "MS", "gender": "FEMALE"}
        sent |= {"email": given["email"], "firstName": name, "password": given["password"]}
        sent |= {"confirmPassword": given["password"]}
        if box == WITH_KEY:
            sent["idempotencyKey"] = given["key"] = self._word("key-of-a-form-")
        return Request(Kind.SIGN_UP, given, sent, by_rest=self._by_rest())

    def _by_letter(self, kind: Kind) -> Request | None:
        letter = pick(self._random, self._notes.letters[kind])
        if letter is None:
            return None
        given = {fact: letter.given[fact] for fact in ("key", "email", "name")}
        sent = {"token": given["key"]}
        if kind is Kind.RESET:
            given["password"] = sent["password"] = sent["confirmPassword"] = self._word("secret-")
        return Request(kind, given, sent, by_rest=kind is Kind.CONFIRM and self._by_rest())

    def _signed_in(self, kind: Kind, number: int) -> Request | None:
        noted = pick(self._random, self._notes.sessions)
        if noted is None:
            return None
        account, pair = noted
        box = WITH_KEY if account[0].startswith(WITH_KEY) else WITHOUT_KEY
        if kind is Kind.ERASE and box == WITH_KEY:
            return None
        if kind is Kind.REFRESH:
            given = {"refresh": name_of(pair.refresh)}
            return Request(kind, given, {"refreshToken": pair.refresh}, by_rest=self._by_rest(), account=account)
        facts, given, sent = pair.facts, {"access": name_of(pair.access)}, dict[str, object]()
        match kind:
            case Kind.RENAME:
                given["name"] = self._first_name("Eve")
                sent["firstName"] = given["name"]
            case Kind.END_SESSION:
                given["session"] = facts["session"]
                sent["id"] = facts["session"]
            case Kind.SIGN_OUT:
                given["which"] = self._random.choice(("current", "refresh", "all"))
                given["session"] = facts["session"]
                sent = {"refreshToken": pair.refresh} if given["which"] == "refresh" else {given["which"]: True}
            case Kind.CHANGE_PASSWORD:
                given |= {"old": account[1], "password": self._word("secret-")}
                sent = {"password": account[1], "newPassword": given["password"], "confirmPassword": given["password"]}
            case Kind.CHANGE_EMAIL:
                given["email"] = self._address(number, box, ahead=self._random.choice((0, ADDRESSES)))
                sent = {"email": given["email"]}
        return Request(kind, given, sent, pair.access, account=account)

    def _address(self, number: int, box: str, ahead: int = 0) -> str:
        """One of those in use, or one that is so far ahead of them."""
        oldest = number // OPERATIONS_OF_AN_ADDRESS + ahead
        return f"{box}{oldest + self._random.randrange(ADDRESSES)}@{self._domain}"

    def _word(self, beginning: str) -> str:
        """A word that no other call of any client makes."""
        self._made += 1
        return f"{beginning}{self._name}x{self._made}"

    def _first_name(self, beginning: str) -> str:
        """The same in letters only: a mail greets with no other name."""
        return self._word(beginning).translate(LETTERS)

    def _by_rest(self) -> bool:
        return self._random.random() < 0.4


def _sign_in(account: Account, *, by_rest: bool) -> Request:
    given = {"email": account[0], "password": account[1]}
    return Request(Kind.SIGN_IN, given, given, by_rest=by_rest, account=account)

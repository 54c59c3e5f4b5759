"""Sessions: what a history says of each token, which works from when it was issued until its session ends."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.histories.checker.operation import Kind, Operation
from tests.histories.checker.people import People, Person
from tests.histories.checker.register import Register

ALL_END = {Kind.CHANGE_PASSWORD, Kind.RESET, Kind.ERASE}


@dataclass(slots=True)
class Session:
    """A session, the registers of its tokens by name, which are True or False, and the uses of its refresh tokens."""

    id: str
    person: Person | None
    access: dict[str, Register] = field(default_factory=dict)
    refresh: dict[str, Register] = field(default_factory=dict)
    uses: dict[str, list[Operation]] = field(default_factory=lambda: defaultdict(list))

    def may_be_copied(self, moment: float) -> bool:
        """Whether a refresh token was used twice before that moment, which can end the session."""
        return any(sum(each.began < moment for each in uses) > 1 for uses in self.uses.values())


class Sessions:
    """All sessions of a history, whose operations are given in the order of their beginnings."""

    def __init__(self, history: Sequence[Operation], people: People) -> None:
        self.of_id: dict[str, Session] = {}
        self.of_access: dict[str, Session] = {}
        self.of_refresh: dict[str, Session] = {}
        self._people = people
        for each in history:
            if each.kind in {Kind.SIGN_IN, Kind.REFRESH} and each.is_done:
                self._issue(each)
        for each in history:
            if each.kind is Kind.REFRESH and each.given["refresh"] in self.of_refresh:
                self.of_refresh[each.given["refresh"]].uses[each.given["refresh"]].append(each)
        self._end(history)

    def _issue(self, operation: Operation) -> None:
        told = operation.told
        person = self._people.of_access.get(told["access"])
        session = self.of_id.setdefault(told["session"], Session(told["session"], person))
        for tokens, by_name, name in (
            (session.access, self.of_access, told["access"]),
            (session.refresh, self.of_refresh, told["refresh"]),
        ):
            by_name[name] = session
            tokens[name] = Register()
            tokens[name].write(True, operation)

    def _end(self, history: Sequence[Operation]) -> None:
        of_person: dict[int, list[Session]] = defaultdict(list)
        for session in self.of_id.values():
            if session.person:
                of_person[id(session.person)].append(session)
        for each in history:
            person = self._people.of(each)
            if each.may_be_done and person:
                for register in self._ended_by(each, of_person[id(person)]):
                    register.write(False, each)

    def _ended_by(self, operation: Operation, sessions: Sequence[Session]) -> Iterator[Register]:
        """The tokens that an operation ends, of all that the customer has at any time."""
        own = self.of_access.get(operation.given.get("access", ""))
        named = operation.given.get("session")
        for session in sessions:
            ends_all = operation.kind in ALL_END or operation.given.get("which") == "all"
            if ends_all or (operation.kind in {Kind.END_SESSION, Kind.SIGN_OUT} and session.id == named):
                yield from session.access.values()
                # The session that changes the password goes on with its refresh token.
                if operation.kind is not Kind.CHANGE_PASSWORD or session is not own:
                    yield from session.refresh.values()

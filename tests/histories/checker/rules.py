"""The rules: each finds in a history what the gateway promises not to do."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from tests.histories.checker.operation import UNAUTHENTICATED, UNKNOWN, Kind, Operation
from tests.histories.checker.people import People, Person
from tests.histories.checker.register import Value
from tests.histories.checker.sessions import Sessions
from tests.histories.checker.violation import Violation

GRACE = 10.0
"""Seconds in which a used refresh token gets one further pair."""
SLACK = 1.0
"""Seconds by which the clock of a gateway may run apart from ours within the grace."""
PAIRS = 2
"""How many pairs of tokens a refresh token gets at most."""
REFUSALS = {
    Kind.SIGN_UP: {"EMAIL_TAKEN", "IDEMPOTENCY_CONFLICT"},
    Kind.CONFIRM: {"CONFIRMATION_TOKEN"},
    Kind.SIGN_IN: {"BAD_CREDENTIALS", "EMAIL_NOT_CONFIRMED"},
    Kind.REFRESH: {"REFRESH_TOKEN"},
    Kind.END_SESSION: {"SESSION_NOT_FOUND"},
    Kind.CHANGE_PASSWORD: {"BAD_CREDENTIALS"},
    Kind.REQUEST_RESET: {"TOO_MANY_ATTEMPTS"},
    Kind.RESET: {"RESET_TOKEN"},
    Kind.CHANGE_EMAIL: {"EMAIL_TAKEN", "TOO_MANY_ATTEMPTS"},
    Kind.CONFIRM_EMAIL: {"CONFIRMATION_TOKEN", "EMAIL_TAKEN"},
}


@dataclass(frozen=True, slots=True)
class Model:
    """A history in the order of its beginnings, and what it says."""

    history: Sequence[Operation]
    people: People
    sessions: Sessions


def model_of(history: Sequence[Operation]) -> Model:
    in_order = sorted(history, key=lambda operation: operation.began)
    people = People(in_order)
    return Model(in_order, people, Sessions(in_order, people))


def check(model: Model) -> list[Violation]:
    """All violations that the history shows."""
    return [found for rule in RULES for found in rule(model)]


def answers_are_expected(model: Model) -> Iterator[Violation]:
    """An answer is that of the schema: a success, an expected refusal, or that the service is not available."""
    for each in model.history:
        expected = REFUSALS.get(each.kind, set()) | ({UNAUTHENTICATED} if "access" in each.given else set())
        if not each.may_be_done and each.verdict not in expected:
            yield Violation("an expected answer", f"{each.kind} was answered {each.verdict}", (each,))


def an_address_has_one_customer(model: Model) -> Iterator[Violation]:
    """No two customers have an address at the same time."""
    spans: dict[Value, list[tuple[Person, float, float, Operation]]] = defaultdict(list)
    for person in model.people.all:
        for email in {write.value for write in person.address.writes} - {None}:
            spans[email] += [(person, *span) for span in person.address.spans(email)]
    for email, held in spans.items():
        for (one, began, ended, first), (other, began2, ended2, second) in combinations(held, 2):
            if one is not other and max(began, began2) < min(ended, ended2):
                yield Violation("an address has one customer", f"{email} belongs to two", (first, second))


def a_free_address_is_not_taken(model: Model) -> Iterator[Violation]:
    """An address that is answered as taken belongs to a customer at some moment of the operation."""
    holders = defaultdict(list)
    for person in model.people.all:
        for write in person.address.writes:
            holders[write.value].append(person)
    keys: set[str] = set()
    for each in model.history:
        is_replay = each.given.get("key", "") in keys and each.kind is Kind.SIGN_UP
        if each.kind is Kind.SIGN_UP and "key" in each.given:
            keys.add(each.given["key"])
        if each.verdict == "EMAIL_TAKEN" and not is_replay:
            email = each.given["email"]
            if not any(person.address.may_hold(email, each) for person in holders[email]):
                yield Violation("a free address is not taken", f"nothing has {email}", (each,))


def a_sign_in_reads_what_was_written(model: Model) -> Iterator[Violation]:
    """The right password of a confirmed customer signs in, and no other one does."""
    rule = "a sign-in reads what was written"
    for each in model.history:
        if each.kind is not Kind.SIGN_IN or each.verdict == UNKNOWN:
            continue
        email, password = each.given["email"], each.given["password"]
        person = model.people.of_password.get(password)
        if person is None:
            if each.is_done:
                yield Violation(rule, "a password signed in that no customer chose", (each,))
            continue
        read = ((person.address, email), (person.password, password), (person.confirmed, True))
        wrong = [(register, value) for register, value in read if not register.may_hold(value, each)]
        if each.is_done and wrong:
            register, value = wrong[0]
            yield Violation(rule, f"{value} does not sign in any more, or not yet", register.evidence(value, each))
        if not each.is_done and all(register.must_hold(value, each) for register, value in read):
            written = {id(span[2]): span[2] for register, value in read for span in register.spans(value)[-1:]}
            yield Violation(rule, "the right password was refused", (*written.values(), each))


def me_reads_what_was_written(model: Model) -> Iterator[Violation]:
    """`me` is the customer of the token, with the address and the name of that time."""
    rule = "me reads what was written"
    for each in model.history:
        person = model.people.of(each)
        if each.kind is not Kind.ME or not each.is_done or person is None:
            continue
        if model.people.of_reference.get(each.told["reference"]) is not person:
            yield Violation(rule, "the token names another customer", (person.sign_up, each))
        for register, fact in ((person.address, "email"), (person.name, "name")):
            if not register.may_hold(each.told[fact], each):
                evidence = register.evidence(each.told[fact], each)
                yield Violation(rule, f"{fact} was not {each.told[fact]} any more, or not yet", evidence)


def sessions_end_when_told(model: Model) -> Iterator[Violation]:
    """A token works until its session has ended, and not after that."""
    rule = "sessions end when told"
    for each in model.history:
        name = each.given.get("refresh") if each.kind is Kind.REFRESH else each.given.get("access")
        session = model.sessions.of_refresh.get(name or "") or model.sessions.of_access.get(name or "")
        if name is None or session is None or each.verdict == UNKNOWN:
            continue
        alive = (session.access | session.refresh)[name]
        is_refused = each.verdict in {UNAUTHENTICATED, "REFRESH_TOKEN"}
        if not is_refused and not alive.may_hold(True, each):
            yield Violation(rule, f"token {name} works after its end", alive.evidence(True, each))
        is_first = sum(use.began < each.ended for use in session.uses.get(name, ())) <= 1
        if is_refused and is_first and alive.must_hold(True, each) and not session.may_be_copied(each.ended):
            issued = alive.writes[0].operation
            yield Violation(rule, f"token {name} does not work before its end", (issued, each))


def what_is_right_is_not_refused(model: Model) -> Iterator[Violation]:
    """The key of a customer who waits for it, the right old password and the id of the own session are not refused."""
    for each in model.history:
        person, session = model.people.of(each), model.sessions.of_access.get(each.given.get("access", ""))
        if person is None or each.verdict not in REFUSALS.get(each.kind, set()):
            continue
        match each.kind:
            case Kind.CONFIRM:
                is_right = person.confirmed.must_hold(False, each)
            case Kind.CHANGE_PASSWORD:
                is_right = person.password.must_hold(each.given["old"], each)
            case Kind.END_SESSION if session and not session.may_be_copied(each.ended):
                is_right = session.access[each.given["access"]].must_hold(True, each)
            case _:
                is_right = False
        if is_right:
            yield Violation("what is right is not refused", f"{each.verdict} is not true", (person.sign_up, each))


def keys_work_once(model: Model) -> Iterator[Violation]:
    """The key of a letter works once; a refresh token gets one further pair, and only within the grace."""
    uses = defaultdict(list)
    for each in model.history:
        if each.is_done and each.kind in {Kind.CONFIRM, Kind.RESET, Kind.CONFIRM_EMAIL}:
            uses[each.given["key"]].append(each)
    for key, done in uses.items():
        if len(done) > 1:
            yield Violation("keys work once", f"key {key} worked {len(done)} times", tuple(done[:2]))
    for session in model.sessions.of_id.values():
        for name, tried in session.uses.items():
            done = [each for each in tried if each.is_done]
            if len(done) > PAIRS:
                yield Violation("keys work once", f"token {name} got {len(done)} pairs", tuple(done[: PAIRS + 1]))
            used = min((each.ended for each in done), default=0.0)
            late = [each for each in done if each.began > used + GRACE + SLACK]
            if late:
                first = min(done, key=lambda each: each.ended)
                yield Violation("keys work once", f"token {name} got a pair after the grace", (first, late[0]))


def a_replay_has_the_first_outcome(model: Model) -> Iterator[Violation]:
    """Sign-ups with the same idempotency key have one outcome, until their customer is erased."""
    uses = defaultdict(list)
    for each in model.history:
        if each.kind is Kind.SIGN_UP and "key" in each.given and each.verdict != UNKNOWN:
            uses[each.given["key"]].append(each)
    for key, tried in uses.items():
        for one, other in combinations(tried, 2):
            person = model.people.of_name.get(one.given["name"])
            if _outcome(one) != _outcome(other) and not _may_be_erased(person, other):
                yield Violation("a replay has the first outcome", f"key {key} has two outcomes", (one, other))


def a_reference_is_given_once(model: Model) -> Iterator[Violation]:
    """No two sign-ups get the same customer reference."""
    given: dict[str, Operation] = {}
    for each in model.history:
        if each.kind is Kind.SIGN_UP and each.is_done:
            first = given.setdefault(each.told["reference"], each)
            if first.given["name"] != each.given["name"]:
                yield Violation("a reference is given once", f"{each.told['reference']} is given twice", (first, each))


def _outcome(sign_up: Operation) -> tuple[str, str]:
    return sign_up.verdict, sign_up.told.get("reference", "")


def _may_be_erased(person: Person | None, read: Operation) -> bool:
    return person is not None and any(
        write.value is None and write.began < read.ended for write in person.address.writes
    )


RULES: tuple[Callable[[Model], Iterator[Violation]], ...] = (
    answers_are_expected,
    an_address_has_one_customer,
    a_free_address_is_not_taken,
    a_sign_in_reads_what_was_written,
    me_reads_what_was_written,
    sessions_end_when_told,
    what_is_right_is_not_refused,
    keys_work_once,
    a_replay_has_the_first_outcome,
    a_reference_is_given_once,
)

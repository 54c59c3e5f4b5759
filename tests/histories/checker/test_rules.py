"""Each rule on small histories: one that keeps it, and one that breaks it."""

from itertools import count

from tests.histories.checker.operation import DONE, UNAUTHENTICATED, UNKNOWN, Kind, Operation
from tests.histories.checker.rules import GRACE, RULES, check, model_of


class Story:
    """Writes histories of one second an operation, one after the other, unless a moment is given."""

    def __init__(self) -> None:
        self._clock = count(1.0)
        self.history: list[Operation] = []

    def add(
        self,
        kind: Kind,
        verdict: str = DONE,
        told: dict[str, str] | None = None,
        at: tuple[float, float] | None = None,
        **given: str,
    ) -> Operation:
        began, ended = at or (moment := next(self._clock), moment + 0.5)
        operation = Operation(kind, given, began, ended, verdict, told or {})
        self.history.append(operation)
        return operation

    def sign_up(
        self, name: str, email: str = "a@x", verdict: str = DONE, at: tuple[float, float] | None = None, **more: str
    ) -> Operation:
        told = {"reference": f"DE--{name}"} if verdict == DONE else {}
        return self.add(Kind.SIGN_UP, verdict, told, at, email=email, password=f"secret-{name}", name=name, **more)

    def confirm(self, name: str, verdict: str = DONE) -> Operation:
        return self.add(Kind.CONFIRM, verdict, key=f"confirm-{name}", email="a@x", name=name)

    def sign_in(
        self,
        name: str,
        password: str = "",
        *,
        verdict: str = DONE,
        session: str = "s",
        at: tuple[float, float] | None = None,
    ) -> Operation:
        told = {"reference": f"DE--{name}", "session": session, "access": f"{session}-a", "refresh": f"{session}-r"}
        password = password or f"secret-{name}"
        return self.add(Kind.SIGN_IN, verdict, told if verdict == DONE else {}, at, email="a@x", password=password)

    def customer(self, name: str) -> None:
        """A customer who has signed in, with the session "s"."""
        self.sign_up(name)
        self.confirm(name)
        self.sign_in(name)

    def me(self, name: str, access: str = "s-a", email: str = "a@x", **more: str) -> Operation:
        told = {"reference": f"DE--{name}", "email": email, "name": more.get("shown", name)}
        return self.add(Kind.ME, told=told, access=access)

    def broken(self) -> list[str]:
        return [found.rule for found in check(model_of(self.history))]

    def evidence(self) -> tuple[Operation, ...]:
        (found,) = check(model_of(self.history))
        return found.operations


def test_an_answer_that_the_schema_lacks() -> None:
    """Refusals of an operation are expected, and any other answer is not."""
    story = Story()
    story.add(Kind.RENAME, UNAUTHENTICATED, access="?", name="Eve")
    story.add(Kind.REQUEST_RESET, UNKNOWN, email="a@x")
    assert story.broken() == []
    story.add(Kind.REQUEST_RESET, "500", email="a@x")
    assert story.broken() == ["an expected answer"]


class TestAddress:
    def test_of_two_customers(self) -> None:
        """Two sign-ups with one address succeed only if the first customer is erased or has moved before the second."""
        story = Story()
        story.customer("Ada")
        story.add(Kind.ERASE, access="s-a")
        story.sign_up("Eve")
        assert story.broken() == []
        story.sign_up("Bob")
        assert story.broken() == ["an address has one customer"]
        assert [each.given["name"] for each in story.evidence()] == ["Eve", "Bob"]

    def test_that_may_have_been_freed(self) -> None:
        """An erasure whose outcome is not known may have freed the address at any time since."""
        story = Story()
        story.customer("Ada")
        story.add(Kind.ERASE, UNKNOWN, access="s-a")
        story.me("Ada")
        story.sign_up("Eve")
        assert story.broken() == []

    def test_of_operations_at_the_same_time(self) -> None:
        """A sign-up that overlaps the erasure may come before or after it."""
        story = Story()
        story.customer("Ada")
        story.add(Kind.ERASE, access="s-a", at=(10, 12))
        story.sign_up("Eve", at=(9, 11))
        story.sign_up("Bob", verdict="EMAIL_TAKEN", at=(9, 11))
        assert story.broken() == []

    def test_that_moves(self) -> None:
        """After a change of address the old one is free, and the new one is taken."""
        story = Story()
        story.customer("Ada")
        story.add(Kind.CONFIRM_EMAIL, key="k", email="b@x", name="Ada")
        story.sign_up("Eve")
        story.me("Ada", email="b@x")
        assert story.broken() == []
        story.sign_up("Bob", email="b@x")
        assert story.broken() == ["an address has one customer"]

    def test_that_is_free(self) -> None:
        """An address is taken only while a customer may have it."""
        story = Story()
        story.sign_up("Ada", verdict=UNKNOWN)
        story.sign_up("Eve", verdict="EMAIL_TAKEN")
        assert story.broken() == []
        story.sign_up("Bob", email="b@x", verdict="EMAIL_TAKEN")
        assert story.broken() == ["a free address is not taken"]

    def test_that_was_taken_when_its_key_was_first_used(self) -> None:
        """A replay is answered as its first use was, also when the address is free by now."""
        story = Story()
        story.customer("Ada")
        story.sign_up("Eve", verdict="EMAIL_TAKEN", key="k")
        story.add(Kind.ERASE, access="s-a")
        story.sign_up("Eve", verdict="EMAIL_TAKEN", key="k")
        assert story.broken() == []


class TestSignIn:
    def test_with_an_old_password(self) -> None:
        """A password that was replaced does not sign in, but for sign-ins at the same time."""
        story = Story()
        story.customer("Ada")
        story.add(Kind.CHANGE_PASSWORD, access="s-a", old="secret-Ada", password="new", at=(10, 12))
        story.sign_in("Ada", session="t", at=(11, 13))
        story.sign_in("Ada", "new", session="u", at=(14, 15))
        assert story.broken() == []
        late = story.sign_in("Ada", session="v", at=(16, 17))
        assert story.broken() == ["a sign-in reads what was written"]
        assert story.evidence() == (story.history[0], story.history[3], late)

    def test_of_an_erased_customer(self) -> None:
        """An erased customer does not sign in."""
        story = Story()
        story.customer("Ada")
        story.add(Kind.ERASE, access="s-a")
        story.sign_in("Ada", verdict="BAD_CREDENTIALS")
        assert story.broken() == []
        story.sign_in("Ada", session="t")
        assert story.broken() == ["a sign-in reads what was written"]

    def test_before_the_confirmation(self) -> None:
        """A customer who is not confirmed does not sign in; a confirmation whose outcome is not known may count."""
        story = Story()
        story.sign_up("Ada")
        story.sign_in("Ada", verdict="EMAIL_NOT_CONFIRMED")
        assert story.broken() == []
        story.sign_in("Ada")
        assert story.broken() == ["a sign-in reads what was written"]
        story.history.insert(1, Operation(Kind.CONFIRM, {"key": "k", "name": "Ada"}, 1.6, 1.7, UNKNOWN))
        assert story.broken() == []

    def test_that_is_refused(self) -> None:
        """The right password of a confirmed customer is not refused, unless it may have been replaced."""
        story = Story()
        story.customer("Ada")
        story.sign_in("Ada", verdict="BAD_CREDENTIALS")
        assert story.broken() == ["a sign-in reads what was written"]
        story = Story()
        story.customer("Ada")
        story.add(Kind.RESET, UNKNOWN, key="k", email="a@x", name="Ada", password="new")
        story.sign_in("Ada", verdict="BAD_CREDENTIALS")
        story.sign_in("Ada", "new", session="t")
        assert story.broken() == []

    def test_that_shows_a_sign_up_whose_outcome_was_not_known(self) -> None:
        """A customer who signs in has signed up before that, and is not lost any more."""
        story = Story()
        story.sign_up("Ada", verdict=UNKNOWN)
        story.add(Kind.LETTER, key="confirm-Ada", email="a@x", name="Ada", use="confirm")
        story.confirm("Ada")
        story.sign_in("Ada")
        assert story.broken() == []
        story.sign_in("Ada", verdict="BAD_CREDENTIALS")
        assert story.broken() == ["a sign-in reads what was written"]

    def test_with_a_password_of_nothing(self) -> None:
        """A password that no customer chose does not sign in."""
        story = Story()
        story.sign_in("Ada", "guess", verdict="BAD_CREDENTIALS")
        assert story.broken() == []
        story.sign_in("Ada", "guess")
        assert story.broken() == ["a sign-in reads what was written"]


class TestMe:
    def test_with_an_old_name(self) -> None:
        """`me` has the name that was written last."""
        story = Story()
        story.customer("Ada")
        story.add(Kind.RENAME, access="s-a", name="Eve")
        story.me("Ada", shown="Eve")
        assert story.broken() == []
        story.me("Ada", shown="Ada")
        assert story.broken() == ["me reads what was written"]

    def test_of_another_customer(self) -> None:
        """`me` is the customer of the token."""
        story = Story()
        story.customer("Ada")
        story.sign_up("Bob", email="b@x")
        story.me("Bob", shown="Ada")
        assert story.broken() == ["me reads what was written"]


class TestSession:
    def test_that_has_ended(self) -> None:
        """After the end of its session a token is refused; an operation at the same time may still be answered."""
        story = Story()
        story.customer("Ada")
        story.add(Kind.SIGN_OUT, access="s-a", which="current", session="s", at=(10, 12))
        story.add(Kind.RENAME, access="s-a", name="Eve", at=(11, 13))
        story.add(Kind.RENAME, UNAUTHENTICATED, access="s-a", name="Zoe", at=(14, 15))
        assert story.broken() == []
        late = story.add(Kind.RENAME, access="s-a", name="Amy", at=(16, 17))
        assert story.broken() == ["sessions end when told"]
        assert story.evidence() == (story.history[2], story.history[3], late)

    def test_whose_refresh_token_works_after_its_end(self) -> None:
        """A reset of the password ends every session, and its refresh token."""
        story = Story()
        story.customer("Ada")
        story.add(Kind.RESET, key="k", email="a@x", name="Ada", password="new")
        refreshed = {"reference": "DE--Ada", "session": "s", "access": "s-a2", "refresh": "s-r2"}
        story.add(Kind.REFRESH, told=refreshed, refresh="s-r")
        assert story.broken() == ["sessions end when told"]

    def test_of_a_change_of_the_password(self) -> None:
        """It ends the other sessions and its own access tokens, and leaves its own refresh token."""
        story = Story()
        story.customer("Ada")
        story.sign_in("Ada", session="t")
        story.add(Kind.CHANGE_PASSWORD, access="s-a", old="secret-Ada", password="new")
        refreshed = {"reference": "DE--Ada", "session": "s", "access": "s-a2", "refresh": "s-r2"}
        story.add(Kind.REFRESH, told=refreshed, refresh="s-r")
        story.me("Ada", access="s-a2")
        story.add(Kind.REFRESH, "REFRESH_TOKEN", refresh="t-r")
        assert story.broken() == []
        story.me("Ada", access="s-a")
        assert story.broken() == ["sessions end when told"]

    def test_that_ends_too_early(self) -> None:
        """A token works until something may have ended its session."""
        story = Story()
        story.customer("Ada")
        story.add(Kind.ME, UNAUTHENTICATED, access="s-a")
        assert story.broken() == ["sessions end when told"]
        story.history.insert(3, Operation(Kind.END_SESSION, {"access": "s-a", "session": "s"}, 3.6, 3.7, UNKNOWN))
        assert story.broken() == []

    def test_that_may_be_copied(self) -> None:
        """A refresh token that is used twice may end its session."""
        story = Story()
        story.customer("Ada")
        for _ in range(2):
            story.add(Kind.REFRESH, UNKNOWN, refresh="s-r")
        story.add(Kind.REFRESH, "REFRESH_TOKEN", refresh="s-r")
        story.add(Kind.ME, UNAUTHENTICATED, access="s-a")
        assert story.broken() == []


class TestRefusal:
    def test_of_a_key(self) -> None:
        """The key of a confirmation is refused only to a customer who may be confirmed."""
        story = Story()
        story.sign_up("Ada")
        story.confirm("Ada", verdict=UNKNOWN)
        story.confirm("Ada", verdict="CONFIRMATION_TOKEN")
        assert story.broken() == []
        del story.history[1]
        assert story.broken() == ["what is right is not refused"]

    def test_of_a_password(self) -> None:
        """A change of the password is refused only with a password that may be wrong."""
        story = Story()
        story.customer("Ada")
        story.add(Kind.CHANGE_PASSWORD, "BAD_CREDENTIALS", access="s-a", old="guess", password="new")
        assert story.broken() == []
        story.add(Kind.CHANGE_PASSWORD, "BAD_CREDENTIALS", access="s-a", old="secret-Ada", password="newer")
        assert story.broken() == ["what is right is not refused"]

    def test_of_a_session(self) -> None:
        """The end of the own session is refused only when it may have ended."""
        story = Story()
        story.customer("Ada")
        story.add(Kind.END_SESSION, access="s-a", session="s", at=(10, 12))
        story.add(Kind.END_SESSION, "SESSION_NOT_FOUND", access="s-a", session="s", at=(11, 13))
        assert story.broken() == []
        del story.history[-2]
        assert story.broken() == ["what is right is not refused"]


class TestKey:
    def test_that_works_twice(self) -> None:
        """The key of a letter works once."""
        story = Story()
        story.sign_up("Ada")
        story.confirm("Ada", verdict=UNKNOWN)
        story.confirm("Ada")
        story.confirm("Ada", verdict="CONFIRMATION_TOKEN")
        assert story.broken() == []
        story.confirm("Ada")
        assert story.broken() == ["keys work once"]

    def test_of_a_session(self) -> None:
        """A refresh token gets two pairs, the second within the grace."""
        story = Story()
        story.customer("Ada")

        def refresh(number: int, began: float) -> None:
            told = {"reference": "DE--Ada", "session": "s", "access": f"a{number}", "refresh": f"r{number}"}
            story.add(Kind.REFRESH, told=told, refresh="s-r", at=(began, began + 1))

        refresh(1, 10)
        refresh(2, 12)
        assert story.broken() == []
        refresh(3, 13)
        assert story.broken() == ["keys work once"]
        del story.history[-2:]
        refresh(2, 13 + GRACE)
        assert story.broken() == ["keys work once"]


class TestReplay:
    def test_with_another_outcome(self) -> None:
        """An idempotency key has one customer."""
        story = Story()
        story.sign_up("Ada", verdict=UNKNOWN, key="k")
        story.sign_up("Ada", key="k")
        story.sign_up("Ada", key="k")
        assert story.broken() == []
        other = Operation(Kind.SIGN_UP, story.history[0].given, 8, 9, told={"reference": "DE--2"})
        story.history.append(other)
        assert "a replay has the first outcome" in story.broken()

    def test_after_an_erasure(self) -> None:
        """A key whose customer may be erased is new again."""
        story = Story()
        story.sign_up("Ada", key="k")
        story.confirm("Ada")
        story.sign_in("Ada")
        story.add(Kind.ERASE, UNKNOWN, access="s-a")
        story.sign_up("Ada", key="k", verdict="EMAIL_TAKEN")
        assert story.broken() == []


def test_a_reference_that_is_given_twice() -> None:
    """Two sign-ups do not get one reference."""
    story = Story()
    story.sign_up("Ada")
    story.add(Kind.SIGN_UP, told={"reference": "DE--Ada"}, email="b@x", password="other", name="Bob")
    assert story.broken() == ["a reference is given once"]


def test_a_violation_is_shown_with_its_part_of_the_history() -> None:
    """A violation names its rule, and shows its operations in the order of their beginnings."""
    story = Story()
    story.sign_up("Ada")
    story.sign_up("Eve")
    (found,) = check(model_of(story.history))
    assert str(found).splitlines() == [
        "an address has one customer: a@x belongs to two",
        "    1.000 to 1.500 : sign up email=a@x password=secret-Ada name=Ada -> DONE reference=DE--Ada",
        "    2.000 to 2.500 : sign up email=a@x password=secret-Eve name=Eve -> DONE reference=DE--Eve",
    ]


def test_each_rule_has_its_name_once() -> None:
    """The rules have different names."""
    assert len({rule.__name__ for rule in RULES}) == len(RULES)

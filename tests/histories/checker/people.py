"""People: what a history says of each customer's address, password, name and confirmation.

Each sign-up and each change of a name has a first name of its own, by which a letter tells its customer; each password
is used once, by which a sign-in tells its customer.
"""

from collections import defaultdict
from collections.abc import Sequence
from math import inf

from tests.histories.checker.operation import Kind, Operation
from tests.histories.checker.register import Register


class Person:
    """A customer who signed up, or perhaps did; an erased one has the address None."""

    def __init__(self, sign_ups: Sequence[Operation], seen: float) -> None:
        first = min((each for each in sign_ups if each.may_be_done), key=lambda each: each.until)
        began = min(each.began for each in sign_ups if each.may_be_done)
        self.sign_up = first
        self.address, self.password, self.name, self.confirmed = Register(), Register(), Register(), Register()
        values = {self.address: "email", self.password: "password", self.name: "name"}
        for register, fact in values.items():
            register.write(first.given[fact], first, began, seen)
        self.confirmed.write(False, first, began, seen)

    def erase(self, operation: Operation) -> None:
        for register in (self.address, self.password, self.name):
            register.write(None, operation)


class People:
    """All customers of a history, whose operations are given in the order of their beginnings."""

    def __init__(self, history: Sequence[Operation]) -> None:
        self.all: list[Person] = []
        self.of_reference: dict[str, Person] = {}
        self.of_name: dict[str, Person] = {}
        self.of_password: dict[str, Person] = {}
        self.of_access: dict[str, Person] = {}
        self._enter_sign_ups(history)
        for operation in history:
            self._read(operation)

    def _enter_sign_ups(self, history: Sequence[Operation]) -> None:
        seen: dict[str, float] = defaultdict(lambda: inf)
        sign_ups: dict[str, list[Operation]] = defaultdict(list)
        for each in history:
            if each.kind is Kind.LETTER:
                seen[each.given["name"]] = min(seen[each.given["name"]], each.ended)
            if each.kind is Kind.SIGN_IN and each.is_done:
                seen[each.given["password"]] = min(seen[each.given["password"]], each.ended)
            if each.kind is Kind.SIGN_UP:
                sign_ups[each.given["name"]].append(each)
        for name, tries in sign_ups.items():
            if any(each.may_be_done for each in tries):
                person = Person(tries, min(seen[name], seen[tries[0].given["password"]]))
                self.all.append(person)
                self.of_name[name] = self.of_password[tries[0].given["password"]] = person
                self.of_reference |= {each.told["reference"]: person for each in tries if each.is_done}

    def _read(self, operation: Operation) -> None:
        given, told = operation.given, operation.told
        if operation.kind is Kind.SIGN_IN and operation.is_done and given["password"] in self.of_password:
            self.of_access[told["access"]] = self.of_password[given["password"]]
            self.of_reference.setdefault(told["reference"], self.of_password[given["password"]])
        elif operation.kind is Kind.REFRESH and operation.is_done and told["reference"] in self.of_reference:
            self.of_access[told["access"]] = self.of_reference[told["reference"]]
        person = self.of(operation)
        if person is None or not operation.may_be_done:
            return
        match operation.kind:
            case Kind.CONFIRM:
                person.confirmed.write(True, operation)
            case Kind.RENAME:
                person.name.write(given["name"], operation)
                self.of_name[given["name"]] = person
            case Kind.CHANGE_PASSWORD | Kind.RESET:
                person.password.write(given["password"], operation)
                self.of_password[given["password"]] = person
                if operation.kind is Kind.RESET:
                    person.confirmed.write(True, operation)
            case Kind.CONFIRM_EMAIL:
                person.address.write(given["email"], operation)
            case Kind.ERASE:
                person.erase(operation)

    def of(self, operation: Operation) -> Person | None:
        """The customer of an operation with an access token, or with the key of a letter."""
        given = operation.given
        if "access" in given:
            return self.of_access.get(given["access"])
        return self.of_name.get(given["name"]) if "key" in given and "name" in given else None

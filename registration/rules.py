"""What a sign-up must look like: raw attributes in, every violation out; it never stores, hashes or translates.

Both doors read these rules: GraphQL reports all violations at once, the legacy door those of the lowest stage.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum, IntEnum, StrEnum
from functools import lru_cache
from typing import Final
from unicodedata import category

from registration.address import MAX_LENGTH as EMAIL_MAX_LENGTH
from registration.address import address_key, has_shape
from registration.breaches import Breaches
from registration.customer import Gender, Salutation
from registration.idempotency import MAX_LENGTH as KEY_MAX_LENGTH
from registration.idempotency import MIN_LENGTH as KEY_MIN_LENGTH
from registration.strength import strength

NAME_MAX_LENGTH = 100
SPECIALS = r"!@#$%^&*()_-+=[]{}|;:<>.,/?\~"


class ViolationCode(StrEnum):
    """Why a value is refused."""

    MISSING = "MISSING"
    BLANK = "BLANK"
    NOT_A_STRING = "NOT_A_STRING"
    TOO_SHORT = "TOO_SHORT"
    TOO_LONG = "TOO_LONG"
    FORBIDDEN_CHARACTER = "FORBIDDEN_CHARACTER"
    NOT_A_CHOICE = "NOT_A_CHOICE"
    NOT_AN_EMAIL = "NOT_AN_EMAIL"
    NOT_TRUE = "NOT_TRUE"
    NOT_A_DATE = "NOT_A_DATE"
    PASSWORDS_DIFFER = "PASSWORDS_DIFFER"
    PASSWORD_CHARACTERS = "PASSWORD_CHARACTERS"
    PASSWORD_COMMON = "PASSWORD_COMMON"
    PASSWORD_REPEATS = "PASSWORD_REPEATS"
    PASSWORD_BREACHED = "PASSWORD_BREACHED"
    PASSWORD_WEAK = "PASSWORD_WEAK"


class Stage(IntEnum):
    """The order in which the legacy contract looks (sections 3.3 and 4.3): the first stage that fails answers alone."""

    ATTRIBUTE = 1
    TERMS = 2
    AGREEMENT = 3
    PASSWORD = 4
    EMAIL = 5


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule; `attribute` is the public name, lengths are in characters (code points)."""

    attribute: str
    code: ViolationCode
    stage: Stage = Stage.ATTRIBUTE
    minimum: int | None = None
    maximum: int | None = None


class Absent(Enum):
    """The value of an attribute that was not sent."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
Rule = Callable[[str, object], Iterator[Violation]]


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """The settings of the password rules; lengths in characters, strength from 0 (anything goes) to 4."""

    min_length: int = 7
    max_length: int = 128
    character_rule: bool = False
    repeats_rule: bool = False
    deny_list: frozenset[str] = frozenset()
    min_strength: int = 0
    breaches: Breaches | None = None


def sign_up_violations(raw: Mapping[str, object], policy: PasswordPolicy) -> list[Violation]:
    """Every violation of raw sign-up attributes as they came from JSON, in the contract's order of attributes.

    A value that is not there is absent from the mapping; null is None. Attributes we do not know are ignored.
    """
    rules = _sign_up_rules(policy)
    found = [broken for name, rule in rules.items() for broken in of_attribute(name, raw.get(name, ABSENT), rule)]
    found += date_rule("dateOfBirth", raw.get("dateOfBirth"))
    found += _idempotency_key("idempotencyKey", raw.get("idempotencyKey"))
    found += agreement(raw, "password")
    return found


@lru_cache(maxsize=4)  # an installation has one policy
def _sign_up_rules(policy: PasswordPolicy) -> Mapping[str, Rule]:
    return {
        "email": email_rule,
        "gender": choice_of(Gender),
        "salutation": choice_of(Salutation),
        "firstName": name_rule,
        "lastName": name_rule,
        "password": policy_rule(policy),
        "confirmPassword": length_rule(policy),
        "acceptedTerms": _accepted,
    }


def email_violations(raw: Mapping[str, object], attribute: str = "email") -> list[Violation]:
    """The violations of a request that names only an address."""
    return list(of_attribute(attribute, raw.get(attribute, ABSENT), email_rule))


def text_violations(raw: Mapping[str, object], attribute: str) -> list[Violation]:
    """The violations of a request that names only a text, a key for example."""
    return list(of_attribute(attribute, raw.get(attribute, ABSENT), text_rule))


def is_true(value: object) -> bool:
    """Whether a JSON value counts as true: `true`, `1` and `"1"` do (contract 3.4)."""
    return value is True or value == "1" or (value == 1 and isinstance(value, int))


def as_date(value: object) -> date | None:
    """A calendar date written YYYY-MM-DD, else None."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def has_control_character(text: str) -> bool:
    """Whether a text holds what no name holds: controls, line and paragraph separators, lone surrogates."""
    return not text.isprintable() and any(category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in text)


def of_attribute(name: str, value: object, rule: Rule) -> Iterator[Violation]:
    if value is ABSENT:
        yield Violation(name, ViolationCode.MISSING)
    else:
        yield from rule(name, value)


def _blank(name: str, value: object) -> Iterator[Violation]:
    # The contract counts these as blank, "0" and " " not.
    if value is None or value is False or value in ("", []):
        yield Violation(name, ViolationCode.BLANK)


def _type(name: str, value: object) -> Iterator[Violation]:
    if not isinstance(value, str) and not any(_blank(name, value)):
        yield Violation(name, ViolationCode.NOT_A_STRING)


def text_rule(name: str, value: object) -> Iterator[Violation]:
    yield from _blank(name, value)
    yield from _type(name, value)


def email_rule(name: str, value: object) -> Iterator[Violation]:
    yield from text_rule(name, value)
    if not isinstance(value, str) or not value:
        return
    if not has_shape(value):
        yield Violation(name, ViolationCode.NOT_AN_EMAIL)
    elif address_key(value) is None:
        yield Violation(name, ViolationCode.NOT_AN_EMAIL, Stage.EMAIL)
    if len(value) > EMAIL_MAX_LENGTH:
        yield Violation(name, ViolationCode.TOO_LONG, Stage.EMAIL, maximum=EMAIL_MAX_LENGTH)


def choice_of(choices: type[StrEnum]) -> Rule:
    known = list(choices)

    def choice(name: str, value: object) -> Iterator[Violation]:
        yield from _blank(name, value)
        if value is not None and value not in known:
            yield Violation(name, ViolationCode.NOT_A_CHOICE)

    return choice


def name_rule(name: str, value: object) -> Iterator[Violation]:
    yield from text_rule(name, value)
    if not isinstance(value, str):
        return
    if len(value) > NAME_MAX_LENGTH:
        yield Violation(name, ViolationCode.TOO_LONG, maximum=NAME_MAX_LENGTH)
    if has_control_character(value):
        yield Violation(name, ViolationCode.FORBIDDEN_CHARACTER)


def length_rule(policy: PasswordPolicy) -> Rule:
    def length(name: str, value: object) -> Iterator[Violation]:
        yield from text_rule(name, value)
        if isinstance(value, str):
            if len(value) < policy.min_length:
                yield Violation(name, ViolationCode.TOO_SHORT, minimum=policy.min_length)
            if len(value) > policy.max_length:
                yield Violation(name, ViolationCode.TOO_LONG, maximum=policy.max_length)

    return length


def policy_rule(policy: PasswordPolicy) -> Rule:
    """The rule of a new password (contract section 10)."""
    length = length_rule(policy)

    def password(name: str, value: object) -> Iterator[Violation]:
        yield from length(name, value)
        if isinstance(value, str) and value:
            if policy.character_rule and not has_asked_characters(value):
                yield Violation(name, ViolationCode.PASSWORD_CHARACTERS)
            if policy.breaches is not None and policy.breaches.hold(value):
                yield Violation(name, ViolationCode.PASSWORD_BREACHED)
            if policy.min_strength and strength(value) < policy.min_strength:
                yield Violation(name, ViolationCode.PASSWORD_WEAK)
            if value.lower() in policy.deny_list:
                yield Violation(name, ViolationCode.PASSWORD_COMMON, Stage.PASSWORD)
            if policy.repeats_rule and re.search(r"(.)\1\1", value, re.DOTALL):
                yield Violation(name, ViolationCode.PASSWORD_REPEATS, Stage.PASSWORD)

    return password


def has_asked_characters(password: str) -> bool:
    """One of each class, and nothing else (contract 10.3)."""
    return (
        all(re.search(letters, password) for letters in ("[A-Z]", "[a-z]", "[0-9]", f"[{re.escape(SPECIALS)}]"))
        and re.fullmatch(f"[A-Za-z0-9{re.escape(SPECIALS)}]*", password) is not None
    )


def _accepted(name: str, value: object) -> Iterator[Violation]:
    if value is None:
        yield Violation(name, ViolationCode.NOT_TRUE, Stage.TERMS)
    elif not is_true(value):
        yield Violation(name, ViolationCode.NOT_TRUE)


def date_rule(name: str, value: object) -> Iterator[Violation]:
    if value not in (None, "") and as_date(value) is None:
        yield Violation(name, ViolationCode.NOT_A_DATE)


def _idempotency_key(name: str, value: object) -> Iterator[Violation]:
    if isinstance(value, str) and len(value) < KEY_MIN_LENGTH:
        yield Violation(name, ViolationCode.TOO_SHORT, minimum=KEY_MIN_LENGTH)
    if isinstance(value, str) and len(value) > KEY_MAX_LENGTH:
        yield Violation(name, ViolationCode.TOO_LONG, maximum=KEY_MAX_LENGTH)


def agreement(raw: Mapping[str, object], attribute: str) -> Iterator[Violation]:
    """The rule that the password in this attribute is confirmed; one that is no text breaks a rule of its own."""
    chosen, confirmation = raw.get(attribute), raw.get("confirmPassword")
    if isinstance(chosen, str) and isinstance(confirmation, str) and chosen != confirmation:
        yield Violation("confirmPassword", ViolationCode.PASSWORDS_DIFFER, Stage.AGREEMENT)

"""The rules of a new password: its policy, its confirmation (contract section 10)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from registration.outcomes import Stage, Violation, ViolationCode
from registration.rules.attributes import Rule, text_rule
from registration.rules.breaches import Breaches
from registration.rules.strength import strength

SPECIALS = r"!@#$%^&*()_-+=[]{}|;:<>.,/?\~"


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


def agreement(raw: Mapping[str, object], attribute: str) -> Iterator[Violation]:
    """The rule that the password in this attribute is confirmed; one that is no text breaks a rule of its own."""
    chosen, confirmation = raw.get(attribute), raw.get("confirmPassword")
    if isinstance(chosen, str) and isinstance(confirmation, str) and chosen != confirmation:
        yield Violation("confirmPassword", ViolationCode.PASSWORDS_DIFFER, Stage.AGREEMENT)

"""How a password is read, and the rules of a new one: its policy and its confirmation (contract section 10)."""

import re
from dataclasses import dataclass
from unicodedata import category, normalize

from registration.outcomes import Stage, ViolationCode
from registration.rules.breaches import Breaches
from registration.rules.form import Form
from registration.rules.strength import strength

SPECIALS = r"!@#$%^&*()_-+=[]{}|;:<>.,/?\~"


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """The settings of the password rules; lengths in characters, strength from 0 (any password) to 4."""

    min_length: int = 7
    max_length: int = 128
    character_rule: bool = False
    repeats_rule: bool = False
    deny_list: frozenset[str] = frozenset()
    min_strength: int = 0
    breaches: Breaches | None = None


def prepare(password: str) -> str:
    """A password as it is hashed and compared, by the profile OpaqueString of RFC 8265: spaces and NFC.

    Keyboards and systems write one letter, ü for example, in different ways. Unlike the profile this refuses no
    character: customers of the shop that is replaced may have any.
    """
    if password.isascii():
        return password
    return normalize("NFC", "".join(" " if category(letter) == "Zs" else letter for letter in password))


def forms_of(password: str) -> tuple[str, ...]:
    """The forms in which a stored hash may have a password that was typed: prepared, else as typed.

    Hashes that were made before passwords were prepared, or by another shop, are of the second form.
    """
    return tuple(dict.fromkeys((prepare(password), password)))


def read_new_password(form: Form, name: str, policy: PasswordPolicy) -> str:
    """Read a password that the policy allows."""
    password = read_password_text(form, name, policy)
    if not password:
        return password
    if policy.character_rule and not has_asked_characters(password):
        form.refuse(name, ViolationCode.PASSWORD_CHARACTERS)
    if policy.breaches is not None and policy.breaches.hold(password):
        form.refuse(name, ViolationCode.PASSWORD_BREACHED)
    if policy.min_strength and strength(password) < policy.min_strength:
        form.refuse(name, ViolationCode.PASSWORD_WEAK)
    if password.lower() in policy.deny_list:
        form.refuse(name, ViolationCode.PASSWORD_COMMON, Stage.PASSWORD)
    if policy.repeats_rule and re.search(r"(.)\1\1", password, re.DOTALL):
        form.refuse(name, ViolationCode.PASSWORD_REPEATS, Stage.PASSWORD)
    return password


def read_password_text(form: Form, name: str, policy: PasswordPolicy) -> str:
    """Read a text as long as a password, in its prepared form."""
    password = prepare(form.text(name))
    if isinstance(form.raw.get(name), str):
        form.length(name, password, policy.min_length, policy.max_length)
    return password


def check_agreement(form: Form, name: str) -> None:
    """Check that `confirmPassword` equals the attribute `name`; an empty one, or no text, breaks a rule of its own."""
    chosen, confirmation = form.raw.get(name), form.raw.get("confirmPassword")
    if not (chosen and confirmation and isinstance(chosen, str) and isinstance(confirmation, str)):
        return
    if prepare(chosen) != prepare(confirmation):
        form.refuse("confirmPassword", ViolationCode.PASSWORDS_DIFFER, Stage.AGREEMENT)


def has_asked_characters(password: str) -> bool:
    """Whether a password has a character of each class, and no other character (contract 10.3)."""
    return (
        all(re.search(letters, password) for letters in ("[A-Z]", "[a-z]", "[0-9]", f"[{re.escape(SPECIALS)}]"))
        and re.fullmatch(f"[A-Za-z0-9{re.escape(SPECIALS)}]*", password) is not None
    )

"""What requests about an existing account must look like: raw attributes in, every violation out; it stores nothing.

Each function takes attributes as they came from JSON: what was not sent is absent from the mapping, null is None.
"""

from collections.abc import Iterator, Mapping

from registration.customer import Gender, Salutation
from registration.outcomes import Stage, Violation, ViolationCode
from registration.rules.address import address_key, has_shape
from registration.rules.attributes import (
    ABSENT,
    Rule,
    choice_of,
    date_rule,
    email_rule,
    name_rule,
    of_attribute,
    text_rule,
)
from registration.rules.password import PasswordPolicy, agreement, length_rule, policy_rule

# Of a reset request (contract 6.1); no customer has an address that long.
EMAIL_MAX_LENGTH = 255


def reset_request_violations(raw: Mapping[str, object]) -> list[Violation]:
    """The violations of a request for a password reset."""
    return _of_required(raw, {"email": _any_email})


def reset_violations(raw: Mapping[str, object], policy: PasswordPolicy, key: str = "token") -> list[Violation]:
    """The violations of a password reset, whose key has this name."""
    rules = {key: text_rule, "password": policy_rule(policy), "confirmPassword": length_rule(policy)}
    return [*_of_required(raw, rules), *agreement(raw, "password")]


def password_change_violations(raw: Mapping[str, object], policy: PasswordPolicy) -> list[Violation]:
    """The violations of a password change; whether the current password is right is not among them."""
    rules = {"password": text_rule, "newPassword": policy_rule(policy), "confirmPassword": length_rule(policy)}
    return [*_of_required(raw, rules), *agreement(raw, "newPassword")]


def update_violations(raw: Mapping[str, object], policy: PasswordPolicy) -> list[Violation]:
    """The violations of a change of the profile. What is absent stays as it is.

    A password is never stored here; legacy clients may send one, which must then keep the rules of attributes.
    """
    rules: dict[str, Rule] = {
        "email": email_rule,
        "gender": choice_of(Gender),
        "salutation": choice_of(Salutation),
        "firstName": name_rule,
        "lastName": name_rule,
        "password": _unused(policy_rule(policy)),
        "confirmPassword": _unused(length_rule(policy)),
        "dateOfBirth": date_rule,
    }
    found = [violation for name, rule in rules.items() if name in raw for violation in rule(name, raw[name])]
    return [*found, *_unused_agreement(raw)]


def _of_required(raw: Mapping[str, object], rules: Mapping[str, Rule]) -> list[Violation]:
    return [broken for name, rule in rules.items() for broken in of_attribute(name, raw.get(name, ABSENT), rule)]


def _any_email(name: str, value: object) -> Iterator[Violation]:
    yield from text_rule(name, value)
    if isinstance(value, str) and value:
        is_too_long = len(value) > EMAIL_MAX_LENGTH
        # The grammar allows fewer characters than that, and must not speak for the length.
        if not (has_shape(value) if is_too_long else address_key(value)):
            yield Violation(name, ViolationCode.NOT_AN_EMAIL)
        if is_too_long:
            yield Violation(name, ViolationCode.TOO_LONG, maximum=EMAIL_MAX_LENGTH)


def _unused(rule: Rule) -> Rule:
    """The part of a password's rule that holds for one that is stored nowhere (contract 4.5)."""

    def unused(name: str, value: object) -> Iterator[Violation]:
        for violation in rule(name, value):
            if violation.stage is Stage.ATTRIBUTE and violation.code is not ViolationCode.BLANK:
                yield violation

    return unused


def _unused_agreement(raw: Mapping[str, object]) -> Iterator[Violation]:
    if raw.get("password") and raw.get("password") != raw.get("confirmPassword"):
        yield Violation("confirmPassword", ViolationCode.PASSWORDS_DIFFER, Stage.AGREEMENT)

"""What a sign-up must look like: raw attributes in, every violation out; it never stores, hashes or translates.

Both doors read these rules: GraphQL reports all violations at once, the legacy door those of the lowest stage.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache

from registration.customer import Gender, Salutation
from registration.outcomes import Stage, Violation, ViolationCode
from registration.rules.attributes import (
    ABSENT,
    Rule,
    choice_of,
    date_rule,
    email_rule,
    is_true,
    name_rule,
    of_attribute,
)
from registration.rules.password import PasswordPolicy, agreement, length_rule, policy_rule

KEY_MIN_LENGTH = 16  # of an idempotency key, so that nobody meets another's key by chance
KEY_MAX_LENGTH = 255


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


def _accepted(name: str, value: object) -> Iterator[Violation]:
    if value is None:
        yield Violation(name, ViolationCode.NOT_TRUE, Stage.TERMS)
    elif not is_true(value):
        yield Violation(name, ViolationCode.NOT_TRUE)


def _idempotency_key(name: str, value: object) -> Iterator[Violation]:
    if isinstance(value, str) and len(value) < KEY_MIN_LENGTH:
        yield Violation(name, ViolationCode.TOO_SHORT, minimum=KEY_MIN_LENGTH)
    if isinstance(value, str) and len(value) > KEY_MAX_LENGTH:
        yield Violation(name, ViolationCode.TOO_LONG, maximum=KEY_MAX_LENGTH)

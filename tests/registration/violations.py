"""The violations that the rules find in raw attributes."""

from collections.abc import Mapping

from registration.outcomes import Violation
from registration.rules import account
from registration.rules.form import violations_of
from registration.rules.password import PasswordPolicy
from registration.rules.sign_up import read_sign_up
from tests.clock import TODAY


def sign_up_violations(raw: Mapping[str, object], policy: PasswordPolicy) -> list[Violation]:
    return list(violations_of(read_sign_up(raw, policy, TODAY)))


def email_violations(raw: Mapping[str, object], name: str = "email") -> list[Violation]:
    return list(violations_of(account.read_address(raw, name)))


def text_violations(raw: Mapping[str, object], name: str) -> list[Violation]:
    return list(violations_of(account.read_key(raw, name)))


def reset_request_violations(raw: Mapping[str, object]) -> list[Violation]:
    return list(violations_of(account.read_reset_request(raw)))


def reset_violations(raw: Mapping[str, object], policy: PasswordPolicy, key: str = "token") -> list[Violation]:
    return list(violations_of(account.read_reset(raw, policy, key)))


def password_change_violations(raw: Mapping[str, object], policy: PasswordPolicy) -> list[Violation]:
    """Also those that are told only where the current password is right."""
    read = account.read_password_change(raw, policy)
    return read if isinstance(read, list) else list(read.policy_violations)


def update_violations(raw: Mapping[str, object], policy: PasswordPolicy) -> list[Violation]:
    return list(violations_of(account.read_profile_changes(raw, policy, TODAY)))

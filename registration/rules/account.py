"""Requests about an existing account: raw attributes are read into typed values, or every violation is returned."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from registration.outcomes import Stage, Violation, ViolationCode
from registration.rules.address import NO_EMAIL, EmailAddress, has_shape, read_email
from registration.rules.form import Form
from registration.rules.password import PasswordPolicy, check_agreement, prepare, read_new_password, read_password_text
from registration.rules.person import (
    AFTER_PASSWORD,
    BEFORE_PASSWORD,
    LEGACY,
    PersonPolicy,
    mail_language,
    read_sent,
)

# Of the address in a reset request (contract 6.1); no customer has an address that long.
EMAIL_MAX_LENGTH = 255


@dataclass(frozen=True, slots=True)
class PasswordReset:
    """A new password and the key that allows it."""

    key: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PasswordChange:
    """A new password, and the current one as it was sent, which the caller must verify: not prepared.

    `policy_violations` are those of stage PASSWORD, which the caller reports only if the current password is right.
    """

    password: str = field(repr=False)
    new_password: str = field(repr=False)
    policy_violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True)
class ProfileChanges:
    """The attributes of a profile that were sent: values by column of the table `customer`, and an address or None."""

    values: Mapping[str, Any] = field(repr=False)
    email: EmailAddress | None


def read_address(raw: Mapping[str, object], name: str = "email") -> EmailAddress | list[Violation]:
    """Read a request that has only an address, in the attribute `name`."""
    form = Form(raw)
    return form.read_as(form.email(name))


def read_key(raw: Mapping[str, object], name: str) -> str | list[Violation]:
    """Read a request that has only a text, a key for example, in the attribute `name`."""
    form = Form(raw)
    return form.read_as(form.text(name))


def read_reset_request(raw: Mapping[str, object]) -> EmailAddress | list[Violation]:
    """Read a request for a password reset."""
    form = Form(raw)
    text = form.text("email")
    address = read_email(text) if text else NO_EMAIL
    is_too_long = len(text) > EMAIL_MAX_LENGTH
    # The grammar refuses every address of that length: a text of an address's shape is reported as too long only.
    if not (has_shape(text) if is_too_long else address):
        form.refuse("email", ViolationCode.NOT_AN_EMAIL)
    if is_too_long:
        form.refuse("email", ViolationCode.TOO_LONG, maximum=EMAIL_MAX_LENGTH)
    return form.read_as(address or NO_EMAIL)


def read_reset(
    raw: Mapping[str, object], policy: PasswordPolicy, key: str = "token"
) -> PasswordReset | list[Violation]:
    """Read a password reset; `key` is the name of the attribute that holds its key.

    The key names the customer: the caller checks that the password has other words (`is_denied`).
    """
    form = Form(raw)
    read = PasswordReset(form.text(key), read_new_password(form, "password", policy))
    read_password_text(form, "confirmPassword", policy)
    check_agreement(form, "password")
    return form.read_as(read)


def read_password_change(
    raw: Mapping[str, object], policy: PasswordPolicy, customer_words: frozenset[str] = frozenset()
) -> PasswordChange | list[Violation]:
    """Read a password change; returns violations only if one of them is of an earlier stage than PASSWORD.

    `customer_words` are those of the customer's name and address.
    """
    form = Form(raw)
    current, chosen = form.text("password"), read_new_password(form, "newPassword", policy, customer_words)
    read_password_text(form, "confirmPassword", policy)
    check_agreement(form, "newPassword")
    if any(violation.stage < Stage.PASSWORD for violation in form.violations):
        return form.violations
    return PasswordChange(current, chosen, tuple(form.violations))


def read_profile_changes(
    raw: Mapping[str, object], policy: PasswordPolicy, today: date, *, of_person: PersonPolicy = LEGACY
) -> ProfileChanges | list[Violation]:
    """Read a change of the profile; attributes that were not sent stay as they are, null clears what is not required.

    A password is not stored here; legacy clients may send one, which must then keep the rules of attributes.
    """
    form = Form(raw, today)
    email = form.email("email") if "email" in raw else None
    values = read_sent(form, BEFORE_PASSWORD, of_person)
    _check_unused_passwords(form, policy)
    values |= read_sent(form, AFTER_PASSWORD, of_person)
    if "language" in raw:
        values["language"] = mail_language(form, "language")
    _check_unused_agreement(form)
    return form.read_as(ProfileChanges(values, email))


def _check_unused_passwords(form: Form, policy: PasswordPolicy) -> None:
    """Check passwords that are stored nowhere: by the rules of stage ATTRIBUTE, but for blank ones (contract 4.5)."""
    unused = Form(form.raw)
    if "password" in form.raw:
        read_new_password(unused, "password", policy)
    if "confirmPassword" in form.raw:
        read_password_text(unused, "confirmPassword", policy)
    form.violations += [
        violation
        for violation in unused.violations
        if violation.stage is Stage.ATTRIBUTE and violation.code is not ViolationCode.BLANK
    ]


def _check_unused_agreement(form: Form) -> None:
    if form.raw.get("password") and _prepared(form, "password") != _prepared(form, "confirmPassword"):
        form.refuse("confirmPassword", ViolationCode.PASSWORDS_DIFFER, Stage.AGREEMENT)


def _prepared(form: Form, name: str) -> object:
    value = form.raw.get(name)
    return prepare(value) if isinstance(value, str) else value

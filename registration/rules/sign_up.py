"""Sign-ups: raw attributes are read into a new customer, or every violation is returned.

GraphQL reports all violations at once, the legacy door those of the lowest stage.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from registration.customer import Person
from registration.language import Language
from registration.outcomes import Stage, Violation, ViolationCode
from registration.rules.address import EmailAddress
from registration.rules.form import Form
from registration.rules.own_words import words_of
from registration.rules.password import PasswordPolicy, check_agreement, read_new_password, read_password_text
from registration.rules.person import (
    AFTER_PASSWORD,
    BEFORE_PASSWORD,
    LEGACY,
    PersonPolicy,
    is_not_given,
    mail_language,
    read_person,
)

KEY_MIN_LENGTH = 16  # of an idempotency key, so that two clients do not choose the same one by chance
KEY_MAX_LENGTH = 255


@dataclass(frozen=True, slots=True)
class NewCustomer(Person):
    """The attributes of a sign-up that keep every rule; `language` is None where the customer chose none."""

    email: EmailAddress
    password: str = field(repr=False)
    language: Language | None = None
    idempotency_key: str | None = field(default=None, repr=False)


def read_sign_up(
    raw: Mapping[str, object],
    policy: PasswordPolicy,
    today: date,
    *,
    of_person: PersonPolicy = LEGACY,
    smtputf8: bool = True,
) -> NewCustomer | list[Violation]:
    """Read sign-up attributes, in the contract's order of attributes; `smtputf8`: the mail server offers it."""
    form = Form(raw, today)
    email = form.email("email")
    if email.needs_smtputf8 and not smtputf8:
        form.refuse("email", ViolationCode.NOT_AN_EMAIL, Stage.EMAIL)
    person = read_person(form, BEFORE_PASSWORD, of_person)
    words = words_of(person["first_name"], person["last_name"], email.text)
    password = read_new_password(form, "password", policy, words)
    read_password_text(form, "confirmPassword", policy)
    form.consent("acceptedTerms")
    person |= read_person(form, AFTER_PASSWORD, of_person)
    language = None if is_not_given(form, "language") else mail_language(form, "language")
    key = form.optional_text("idempotencyKey", KEY_MIN_LENGTH, KEY_MAX_LENGTH)
    check_agreement(form, "password")
    new = NewCustomer(**person, email=email, password=password, language=language, idempotency_key=key)
    return form.read_as(new)

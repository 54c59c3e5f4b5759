"""Attributes of request and response documents, as the published description shows them.

Requests are checked by the domain's rules; a test holds that the two agree.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

from registration.customer import Gender, Salutation
from registration.rules.address import MAX_LENGTH as EMAIL_MAX_LENGTH
from registration.rules.password import PasswordPolicy
from registration.rules.person import MAX_AGE, NAME_MAX_LENGTH
from registration.rules.sign_up import KEY_MAX_LENGTH, KEY_MIN_LENGTH

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema (2020-12)."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a request document."""

    schema: Schema
    required: bool = True


def optional(schema: Schema) -> Attribute:
    return Attribute(schema, required=False)


TEXT: Schema = {"type": "string", "minLength": 1}
ADDRESS: Schema = TEXT | {"format": "email", "examples": ["sonia@example.org"]}
EMAIL: Schema = ADDRESS | {"maxLength": EMAIL_MAX_LENGTH}
NAME: Schema = TEXT | {"maxLength": NAME_MAX_LENGTH, "description": "Without control characters."}
GENDER: Schema = {"type": "string", "enum": list(Gender)}
SALUTATION: Schema = {"type": "string", "enum": list(Salutation)}
DATE: Schema = {
    "type": ["string", "null"],
    "format": "date",
    "description": f"Not in the future, and in the last {MAX_AGE} years.",
}
ACCEPTED: Schema = {"type": "boolean", "const": True}
INSTANT: Schema = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$",
    "description": "UTC, without saying so.",
    "examples": ["2018-11-06 08:15:02.694668"],
}
KEY: Schema = TEXT | {"description": "The token of the link in the mail."}
IDEMPOTENCY_KEY: Schema = {
    "type": "string",
    "minLength": KEY_MIN_LENGTH,
    "maxLength": KEY_MAX_LENGTH,
    "description": "Made by the client: the same key with the same body has one outcome within 24 hours.",
}

REQUIRED: dict[str, Schema] = {
    "email": EMAIL,
    "gender": GENDER,
    "salutation": SALUTATION,
    "firstName": NAME,
    "lastName": NAME,
}
"""The attributes of a customer that a sign-up must send."""

OPTIONAL: dict[str, Schema] = {
    "dateOfBirth": DATE,
}
"""Those that need not be sent."""

SHOWN: dict[str, Schema] = {**REQUIRED, **OPTIONAL, "createdAt": INSTANT, "updatedAt": INSTANT}
"""The attributes of a customer as the shim shows one."""

CUSTOMER_FIELDS = " ".join(("reference", *SHOWN))
"""What its documents select of a customer."""

TOKENS: dict[str, Schema] = {
    "tokenType": {"type": "string", "const": "Bearer"},
    "expiresIn": {"type": "integer", "description": "Seconds."},
    "accessToken": TEXT | {"description": "A JWT, for the Authorization header."},
    "refreshToken": TEXT | {"description": "Opaque; works once."},
}


def new_password(policy: PasswordPolicy) -> Schema:
    return {"type": "string", "format": "password", "minLength": policy.min_length, "maxLength": policy.max_length}

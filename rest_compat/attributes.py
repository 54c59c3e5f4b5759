"""Attributes of request and response documents, as the published description shows them.

Requests are checked by the domain's rules; a test holds that the two agree.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

from registration.customer import Gender, Salutation
from registration.rules.address import MAX_LENGTH as EMAIL_MAX_LENGTH
from registration.rules.password import PasswordPolicy
from registration.rules.person import LEGACY, MAX_AGE, NAME_MAX_LENGTH, PersonPolicy
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
GENDER: Schema = {"type": "string", "enum": list(LEGACY.genders)}
SALUTATION: Schema = {"type": "string", "enum": list(Salutation)}
DATE: Schema = {
    "type": "string",
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

PERSON: dict[str, Schema] = {
    "gender": GENDER,
    "salutation": SALUTATION,
    "firstName": NAME,
    "lastName": NAME,
    "dateOfBirth": DATE,
}
"""What a customer tells of the person; which of it a sign-up must send, the policy says."""

TOKENS: dict[str, Schema] = {
    "tokenType": {"type": "string", "const": "Bearer"},
    "expiresIn": {"type": "integer", "description": "Seconds."},
    "accessToken": TEXT | {"description": "A JWT, for the Authorization header."},
    "refreshToken": TEXT | {"description": "Opaque; works once."},
}


def of_policy(name: str, schema: Schema, policy: PersonPolicy) -> Attribute:
    """An attribute of `PERSON` as a sign-up sends it."""
    schema = schema | {"enum": list(policy.genders)} if name == "gender" else schema
    return Attribute(schema) if name in policy.required else optional(nullable(schema))


def nullable(schema: Schema) -> Schema:
    """Of the same value or null."""
    choices = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return schema | choices | {"type": [schema["type"], "null"]}


SHOWN: dict[str, Schema] = {
    "email": EMAIL,
    **{name: nullable(schema) for name, schema in (PERSON | {"gender": GENDER | {"enum": list(Gender)}}).items()},
    "createdAt": INSTANT,
    "updatedAt": INSTANT,
}
"""The attributes of a customer as the shim shows one; null is what the customer did not tell."""

CUSTOMER_FIELDS = " ".join(("reference", *SHOWN))
"""What its documents select of a customer."""


def new_password(policy: PasswordPolicy) -> Schema:
    return {"type": "string", "format": "password", "minLength": policy.min_length, "maxLength": policy.max_length}

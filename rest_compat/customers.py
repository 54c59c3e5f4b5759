"""The Glue resource `customers`: signs up through the mutation createCustomer; it never stores or hashes anything."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from registration.customer import Gender, Salutation
from registration.rules import PasswordPolicy, sign_up_violations
from rest_compat.errors import CANNOT_REGISTER, outcome_error, read_violations, violation_errors
from rest_compat.execution import Execute, run
from rest_compat.jsonapi import Item
from rest_compat.resource import Accepted, Answer, Call, Operation, Refused, Resource, Shown

CREATE_CUSTOMER = """
mutation CreateCustomer($input: CreateCustomerInput!) {
  createCustomer(input: $input) {
    __typename
    ... on CreateCustomerSuccess {
      customer { reference email salutation gender firstName lastName dateOfBirth createdAt updatedAt }
    }
    ... on InvalidInputError { violations { path code minimum maximum } }
    ... on TooManyAttemptsError { retryAfterSeconds }
  }
}
"""

SENT = (
    "email",
    "gender",
    "salutation",
    "firstName",
    "lastName",
    "password",
    "confirmPassword",
    "acceptedTerms",
    "dateOfBirth",
)
SHOWN = ("email", "gender", "salutation", "firstName", "lastName", "dateOfBirth", "createdAt", "updatedAt")


def customers(execute: Execute, policy: PasswordPolicy) -> Resource:
    return Resource("customers", {"POST": Operation(partial(_create, execute, policy))})


async def _create(execute: Execute, policy: PasswordPolicy, call: Call) -> Answer:
    sent = _sent(call)
    if violations := sign_up_violations(sent, policy):
        return Refused(violation_errors(violations))
    member = await run(execute, call.request, CREATE_CUSTOMER, _input_of(sent), CANNOT_REGISTER)
    return member if isinstance(member, Refused) else _answer_of(member, sent)


def _sent(call: Call) -> dict[str, object]:
    """The attributes that we know, and the key from its header: one in the body is an unknown attribute."""
    sent = {name: call.attributes[name] for name in SENT if name in call.attributes}
    key = call.request.headers.get("idempotency-key")
    return sent if key is None else sent | {"idempotencyKey": key}


def _input_of(sent: Mapping[str, object]) -> dict[str, object]:
    """Attributes that keep the rules, as the mutation wants them."""
    return {
        **sent,
        "gender": Gender(str(sent["gender"])).name,
        "salutation": Salutation(str(sent["salutation"])).name,
        "acceptedTerms": True,
        "dateOfBirth": sent.get("dateOfBirth") or None,
    }


def _answer_of(member: Mapping[str, Any], sent: Mapping[str, object]) -> Answer:
    match member["__typename"]:
        case "CreateCustomerSuccess":
            return Shown(_item_of(member["customer"]), status=201)
        case "RegistrationAccepted":
            return Accepted({name: sent.get(name) for name in SHOWN})
        case "InvalidInputError":
            return Refused(violation_errors(read_violations(member["violations"])))
        case _:
            return Refused((outcome_error(member, CANNOT_REGISTER),), member.get("retryAfterSeconds"))


def _item_of(customer: Mapping[str, Any]) -> Item:
    attributes = {name: customer[name] for name in SHOWN} | {
        "gender": Gender[customer["gender"]],
        "salutation": Salutation[customer["salutation"]],
        "createdAt": _wire_time(customer["createdAt"]),
        "updatedAt": _wire_time(customer["updatedAt"]),
    }
    return Item(customer["reference"], attributes)


def _wire_time(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")

"""The Glue resource `customers`: signing up, the own profile, erasure; it never stores or hashes anything."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from registration.customer import Gender, Salutation
from registration.outcomes import Stage
from registration.rules.account import update_violations
from registration.rules.password import PasswordPolicy
from registration.rules.sign_up import sign_up_violations
from rest_compat.attributes import ACCEPTED, DATE, IDEMPOTENCY_KEY, INSTANT, PROFILE, Attribute, new_password, optional
from rest_compat.errors import CUSTOMER_NOT_FOUND, OUTCOMES, UNAUTHORIZED, stage_errors
from rest_compat.execution import Execute, run
from rest_compat.jsonapi import Item
from rest_compat.resource import Accepted, Answer, Call, Done, Listed, Operation, Refused, Resource, Shown

CREATE_CUSTOMER = """
mutation CreateCustomer($input: CreateCustomerInput!) {
  createCustomer(input: $input) {
    __typename
    ... on CreateCustomerSuccess {
      customer { reference email salutation gender firstName lastName dateOfBirth createdAt updatedAt }
    }
    ... on UserError { code }
    ... on InvalidInputError { violations { path code minimum maximum } }
    ... on TooManyAttemptsError { retryAfterSeconds }
  }
}
"""
UPDATE_CUSTOMER = """
mutation UpdateCustomer($input: UpdateCustomerInput!) {
  updateCustomer(input: $input) {
    ... on UpdateCustomerSuccess {
      customer { reference email salutation gender firstName lastName dateOfBirth createdAt updatedAt }
    }
    ... on UserError { code }
    ... on InvalidInputError { violations { path code minimum maximum } }
    ... on TooManyAttemptsError { retryAfterSeconds }
  }
}
"""
ANONYMIZE_CUSTOMER = """
mutation AnonymizeCustomer($input: AnonymizeCustomerInput!) {
  anonymizeCustomer(input: $input) {
    ... on UserError { code }
  }
}
"""
SHOWN = {**PROFILE, "dateOfBirth": DATE, "createdAt": INSTANT, "updatedAt": INSTANT}
# How GraphQL writes what a legacy client sends.
AS_INPUT: Mapping[str, Callable[[Any], object]] = {
    "gender": lambda value: Gender(value).name,
    "salutation": lambda value: Salutation(value).name,
    "acceptedTerms": bool,
    "dateOfBirth": lambda value: value or None,
}


def customers(execute: Execute, policy: PasswordPolicy) -> Resource:
    password = new_password(policy)
    passwords = {"password": password, "confirmPassword": password}
    create = Operation(
        summary="Sign up",
        answer=partial(_create, execute),
        status=201,
        shows=SHOWN,
        takes={
            **{name: Attribute(schema) for name, schema in (PROFILE | passwords).items()},
            "acceptedTerms": Attribute(ACCEPTED),
            "dateOfBirth": optional(DATE),
        },
        rules=lambda call: sign_up_violations(_sign_up(call), policy),
        errors=[
            *stage_errors(Stage.TERMS, Stage.AGREEMENT, Stage.PASSWORD, Stage.EMAIL),
            *OUTCOMES["createCustomer"].errors,
        ],
        may_accept=True,
        headers={"Idempotency-Key": IDEMPOTENCY_KEY},
    )
    update = Operation(
        summary="Change the own profile; a new e-mail address counts when the link sent to it was followed",
        answer=partial(_update, execute),
        shows=SHOWN,
        takes={name: optional(schema) for name, schema in (PROFILE | passwords | {"dateOfBirth": DATE}).items()},
        rules=lambda call: update_violations(call.attributes, policy),
        errors=[*stage_errors(Stage.AGREEMENT, Stage.EMAIL), *OUTCOMES["updateCustomer"].errors],
        protected=True,
        foreign=UNAUTHORIZED,
    )
    return Resource(
        "customers",
        collection={
            "GET": Operation("Show the own profile, as a list of one", _list, shows=SHOWN, protected=True, lists=True),
            "POST": create,
        },
        single={
            "GET": Operation("Show the own profile", _show, shows=SHOWN, protected=True, foreign=CUSTOMER_NOT_FOUND),
            "PATCH": update,
            "DELETE": Operation(
                summary="Erase the customer: the person is forgotten, the reference stays",
                answer=partial(_erase, execute),
                status=204,
                errors=OUTCOMES["anonymizeCustomer"].errors,
                protected=True,
                foreign=UNAUTHORIZED,
            ),
        },
        id_name="customerReference",
    )


async def _create(execute: Execute, call: Call) -> Answer:
    sent = _sign_up(call)
    member = await run(execute, call.request, CREATE_CUSTOMER, _input(sent), OUTCOMES["createCustomer"])
    if isinstance(member, Refused):
        return member
    if member["__typename"] == "RegistrationAccepted":
        return Accepted({name: sent.get(name) for name in SHOWN})
    return Shown(_item(member["customer"]))


async def _list(call: Call) -> Answer:
    return Listed((_own(call),))


async def _show(call: Call) -> Answer:
    return Shown(_own(call))


async def _update(execute: Execute, call: Call) -> Answer:
    # Passwords may be sent, but are never changed here (contract 4.5).
    changes = {name: value for name, value in call.attributes.items() if name in SHOWN}
    member = await run(execute, call.request, UPDATE_CUSTOMER, _input(changes), OUTCOMES["updateCustomer"])
    return member if isinstance(member, Refused) else Shown(_item(member["customer"]))


async def _erase(execute: Execute, call: Call) -> Answer:
    member = await run(execute, call.request, ANONYMIZE_CUSTOMER, {}, OUTCOMES["anonymizeCustomer"])
    return member if isinstance(member, Refused) else Done()


def _sign_up(call: Call) -> Mapping[str, object]:
    """The attributes, and the idempotency key, which has a header of its own."""
    key = call.request.headers.get("idempotency-key")
    return call.attributes if key is None else {**call.attributes, "idempotencyKey": key}


def _input(attributes: Mapping[str, object]) -> dict[str, object]:
    """Attributes that keep the rules, as a mutation wants them: GraphQL tells absent from null too."""
    return {name: AS_INPUT[name](value) if name in AS_INPUT else value for name, value in attributes.items()}


def _own(call: Call) -> Item:
    assert call.caller is not None
    return _item(call.caller)


def _item(customer: Mapping[str, Any]) -> Item:
    attributes = {name: customer[name] for name in SHOWN} | {
        "gender": Gender[customer["gender"]],
        "salutation": Salutation[customer["salutation"]],
        "createdAt": _wire_time(customer["createdAt"]),
        "updatedAt": _wire_time(customer["updatedAt"]),
    }
    return Item(customer["reference"], attributes)


def _wire_time(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")

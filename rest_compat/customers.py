"""The Glue resource `customers`: signing up, the own profile, erasure; it never stores or hashes anything."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any

from registration.customer import Gender, Salutation
from registration.outcomes import Stage, Violation
from registration.rules.account import read_profile_changes
from registration.rules.form import is_true, violations_of
from registration.rules.password import PasswordPolicy
from registration.rules.person import LEGACY, PersonPolicy
from registration.rules.sign_up import read_sign_up
from rest_compat.attributes import (
    ACCEPTED,
    CUSTOMER_FIELDS,
    EMAIL,
    IDEMPOTENCY_KEY,
    PERSON,
    SHOWN,
    Attribute,
    Schema,
    new_password,
    of_policy,
    optional,
)
from rest_compat.errors import CUSTOMER_NOT_FOUND, OUTCOMES, UNAUTHORIZED, stage_errors
from rest_compat.execution import Execute, run, run_unchecked
from rest_compat.jsonapi import Item
from rest_compat.resource import Accepted, Answer, Call, Done, Listed, Operation, Refused, Resource, RulesBroken, Shown

CREATE_CUSTOMER = f"""
mutation CreateCustomer($input: CreateCustomerInput!) {{
  createCustomer(input: $input) {{
    __typename
    ... on CreateCustomerSuccess {{
      customer {{ {CUSTOMER_FIELDS} }}
    }}
    ... on UserError {{ code }}
    ... on TooManyAttemptsError {{ retryAfterSeconds }}
  }}
}}
"""
UPDATE_CUSTOMER = f"""
mutation UpdateCustomer($input: UpdateCustomerInput!) {{
  updateCustomer(input: $input) {{
    ... on UpdateCustomerSuccess {{
      customer {{ {CUSTOMER_FIELDS} }}
    }}
    ... on UserError {{ code }}
    ... on InvalidInputError {{ violations {{ path code minimum maximum }} }}
    ... on TooManyAttemptsError {{ retryAfterSeconds }}
  }}
}}
"""
ANONYMIZE_CUSTOMER = """
mutation AnonymizeCustomer($input: AnonymizeCustomerInput!) {
  anonymizeCustomer(input: $input) {
    ... on UserError { code }
  }
}
"""


NO_CHOICE = "-"
"""Names no choice for GraphQL."""


def _choice(choices: type[StrEnum]) -> Callable[[object], str | None]:
    names = {choice.value: choice.name for choice in choices}
    return lambda value: None if value in (None, "") else names.get(str(value), NO_CHOICE)


# How GraphQL writes what a legacy client sends. Where the contract does not know the value, what GraphQL refuses, too;
# the rules say why. Another name of a choice (FEMALE) would mean something to GraphQL.
AS_INPUT: Mapping[str, Callable[[Any], object]] = {
    "gender": _choice(Gender),
    "salutation": _choice(Salutation),
    "acceptedTerms": lambda value: is_true(value) or None,
    "dateOfBirth": lambda value: None if value == "" else value,
}


def customers(
    execute: Execute, policy: PasswordPolicy, *, of_person: PersonPolicy = LEGACY, smtputf8: bool = True
) -> Resource:
    return Resource(
        "customers",
        collection={
            "GET": Operation("Show the own profile, as a list of one", _list, shows=SHOWN, protected=True, lists=True),
            "POST": _sign_up_operation(execute, policy, of_person, smtputf8),
        },
        single={
            "GET": Operation("Show the own profile", _show, shows=SHOWN, protected=True, foreign=CUSTOMER_NOT_FOUND),
            "PATCH": _update_operation(execute, policy, of_person),
            "DELETE": _erase_operation(execute),
        },
        id_name="customerReference",
    )


def _sign_up_operation(execute: Execute, policy: PasswordPolicy, of_person: PersonPolicy, smtputf8: bool) -> Operation:
    def rules(call: Call) -> Sequence[Violation]:
        read = read_sign_up(_sign_up(call), policy, call.today, of_person=of_person, smtputf8=smtputf8)
        return violations_of(read)

    others = _passwords(policy) | {"acceptedTerms": ACCEPTED}
    return Operation(
        summary="Sign up",
        answer=partial(_create, execute),
        status=201,
        shows=SHOWN,
        takes={"email": Attribute(EMAIL)}
        | {name: of_policy(name, schema, of_person) for name, schema in PERSON.items()}
        | {name: Attribute(schema) for name, schema in others.items()},
        rules=rules,
        rules_first=False,
        errors=[
            *stage_errors(Stage.TERMS, Stage.AGREEMENT, Stage.PASSWORD, Stage.EMAIL),
            *OUTCOMES["createCustomer"].errors,
        ],
        may_accept=True,
        headers={"Idempotency-Key": IDEMPOTENCY_KEY},
    )


def _update_operation(execute: Execute, policy: PasswordPolicy, of_person: PersonPolicy) -> Operation:
    def rules(call: Call) -> Sequence[Violation]:
        return violations_of(read_profile_changes(call.attributes, policy, call.today, of_person=of_person))

    person = {name: of_policy(name, schema, of_person).schema for name, schema in PERSON.items()}
    attributes = {"email": EMAIL} | person | _passwords(policy)
    return Operation(
        summary="Change the own profile; a new e-mail address counts when the link sent to it was followed",
        answer=partial(_update, execute),
        shows=SHOWN,
        takes={name: optional(schema) for name, schema in attributes.items()},
        rules=rules,
        errors=[*stage_errors(Stage.AGREEMENT, Stage.EMAIL), *OUTCOMES["updateCustomer"].errors],
        protected=True,
        foreign=UNAUTHORIZED,
    )


def _erase_operation(execute: Execute) -> Operation:
    return Operation(
        summary="Erase the customer: the person is forgotten, the reference stays",
        answer=partial(_erase, execute),
        status=204,
        errors=OUTCOMES["anonymizeCustomer"].errors,
        protected=True,
        foreign=UNAUTHORIZED,
    )


def _passwords(policy: PasswordPolicy) -> dict[str, Schema]:
    return dict.fromkeys(("password", "confirmPassword"), new_password(policy))


async def _create(execute: Execute, call: Call) -> Answer:
    sent = _sign_up(call)
    member = await run_unchecked(execute, call.request, CREATE_CUSTOMER, _input(sent), OUTCOMES["createCustomer"])
    if isinstance(member, Refused | RulesBroken):
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
        "gender": _value(Gender, customer["gender"]),
        "salutation": _value(Salutation, customer["salutation"]),
        "createdAt": _wire_time(customer["createdAt"]),
        "updatedAt": _wire_time(customer["updatedAt"]),
    }
    return Item(customer["reference"], attributes)


def _value(choices: type[StrEnum], name: str | None) -> str | None:
    return None if name is None else choices[name]


def _wire_time(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")

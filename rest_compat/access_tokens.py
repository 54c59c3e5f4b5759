"""The Glue resource `access-tokens`: signs in through the mutation createAccessToken."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from starlette.requests import Request

from registration.outcomes import Stage, Violation
from registration.rules.account import read_address, read_key
from registration.rules.form import violations_of
from rest_compat.attributes import ADDRESS, TEXT, TOKENS, Attribute, Schema
from rest_compat.errors import OUTCOMES, locked_out, sign_in_outcomes
from rest_compat.execution import Execute, run
from rest_compat.jsonapi import Item
from rest_compat.resource import Answer, Call, Listed, Operation, Refused, Resource, Shown
from rest_compat.response import language_of

CREATE_ACCESS_TOKEN = """
mutation CreateAccessToken($input: CreateAccessTokenInput!) {
  createAccessToken(input: $input) {
    ... on CreateAccessTokenSuccess { tokens { tokenType accessToken expiresIn refreshToken } }
    ... on UserError { code }
    ... on TooManyAttemptsError { retryAfterSeconds }
  }
}
"""
SecondsBlocked = Callable[[Request, str], Awaitable[int | None]]
"""Seconds for which the client of a request is still locked out from a user name; None when it is not locked out."""
ID_COMPANY_USER: Mapping[str, Schema] = {"idCompanyUser": {"type": "null"}}


def access_tokens(
    execute: Execute, *, seconds_blocked: SecondsBlocked, lockout_minutes: int, id_company_user: bool
) -> Resource:
    """`id_company_user` adds an attribute of that name, which shops for businesses show."""
    sign_in = Operation(
        summary="Sign in",
        answer=partial(_sign_in, execute, lockout_minutes, dict.fromkeys(ID_COMPANY_USER if id_company_user else ())),
        status=201,
        shows={**TOKENS, **ID_COMPANY_USER} if id_company_user else TOKENS,
        takes={"username": Attribute(ADDRESS), "password": Attribute({**TEXT, "format": "password"})},
        rules=_violations,
        errors=OUTCOMES["createAccessToken"].errors,
        blocked=partial(_blocked, seconds_blocked, lockout_minutes),
    )
    return Resource("access-tokens", {"GET": LIST_NOTHING, "POST": sign_in})


async def _list_nothing(_call: Call) -> Answer:
    return Listed(())


LIST_NOTHING = Operation("An empty list", _list_nothing, lists=True)
"""Legacy clients may ask for a list; tokens are shown only when they are issued."""


def _violations(call: Call) -> list[Violation]:
    # An address that only the full grammar refuses is answered like any unknown one: the sign-in fails.
    username = violations_of(read_address(call.attributes, "username"))
    return [*filter(_is_of_attribute, username), *violations_of(read_key(call.attributes, "password"))]


def _is_of_attribute(violation: Violation) -> bool:
    return violation.stage is Stage.ATTRIBUTE


async def _blocked(
    seconds_blocked: SecondsBlocked, lockout_minutes: int, request: Request, attributes: Mapping[str, object]
) -> Refused | None:
    username = attributes.get("username")
    seconds = await seconds_blocked(request, username) if isinstance(username, str) else None
    return None if seconds is None else Refused((locked_out(language_of(request), lockout_minutes),), seconds)


async def _sign_in(execute: Execute, lockout_minutes: int, more: Mapping[str, None], call: Call) -> Answer:
    given = {"email": call.attributes["username"], "password": call.attributes["password"]}
    outcomes = sign_in_outcomes(locked_out(language_of(call.request), lockout_minutes))
    member = await run(execute, call.request, CREATE_ACCESS_TOKEN, given, outcomes)
    return member if isinstance(member, Refused) else Shown(Item(None, {**member["tokens"], **more}))

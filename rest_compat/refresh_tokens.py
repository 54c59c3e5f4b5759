"""The Glue resource `refresh-tokens`: staying signed in, and signing out."""

from functools import partial

from registration.rules.account import read_key
from registration.rules.form import violations_of
from rest_compat.access_tokens import LIST_NOTHING
from rest_compat.attributes import TEXT, TOKENS, Attribute
from rest_compat.errors import OUTCOMES
from rest_compat.execution import Execute, run
from rest_compat.jsonapi import Item
from rest_compat.resource import Answer, Call, Done, Operation, Refused, Resource, Shown

REFRESH_ACCESS_TOKEN = """
mutation RefreshAccessToken($input: RefreshAccessTokenInput!) {
  refreshAccessToken(input: $input) {
    ... on RefreshAccessTokenSuccess { tokens { tokenType accessToken expiresIn refreshToken } }
    ... on UserError { code }
  }
}
"""
REVOKE_REFRESH_TOKEN = """
mutation RevokeRefreshToken($input: RevokeRefreshTokenInput!) {
  revokeRefreshToken(input: $input) { __typename }
}
"""


def refresh_tokens(execute: Execute) -> Resource:
    refresh = Operation(
        summary="Stay signed in: a new pair of tokens for a refresh token, which is used up",
        answer=partial(_refresh, execute),
        status=201,
        shows=TOKENS,
        takes={"refreshToken": Attribute(TEXT)},
        rules=lambda call: violations_of(read_key(call.attributes, "refreshToken")),
        errors=OUTCOMES["refreshAccessToken"].errors,
    )
    revoke = Operation(
        summary="Sign out: the session of this refresh token, or every own one with `mine`; others are left alone",
        answer=partial(_revoke, execute),
        status=204,
        errors=OUTCOMES["revokeRefreshToken"].errors,
        protected=True,
    )
    return Resource(
        "refresh-tokens",
        collection={"GET": LIST_NOTHING, "POST": refresh},
        single={"DELETE": revoke},
        id_name="refreshToken",
    )


async def _refresh(execute: Execute, call: Call) -> Answer:
    member = await run(execute, call.request, REFRESH_ACCESS_TOKEN, call.attributes, OUTCOMES["refreshAccessToken"])
    return member if isinstance(member, Refused) else Shown(Item(None, member["tokens"]))


async def _revoke(execute: Execute, call: Call) -> Answer:
    given = {"all": True} if call.id == "mine" else {"refreshToken": call.id}
    member = await run(execute, call.request, REVOKE_REFRESH_TOKEN, given, OUTCOMES["revokeRefreshToken"])
    return member if isinstance(member, Refused) else Done()

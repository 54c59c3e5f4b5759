"""The customer of a request: the Authorization header, read by the contract and judged by the schema's `me`."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from rest_compat.attributes import CUSTOMER_FIELDS
from rest_compat.errors import INVALID_ACCESS_TOKEN, MISSING_ACCESS_TOKEN, OUTCOMES, TWO_IDENTITIES
from rest_compat.execution import Execute, is_revoked, read
from rest_compat.resource import Refused

ME = f"""
query Me {{
  me {{ {CUSTOMER_FIELDS} }}
}}
"""


async def caller_of(
    execute: Execute, request: Request, *, protected: bool = False
) -> Mapping[str, Any] | Refused | None:
    """The customer of the access token; None without a token.

    Where none is needed, a revoked token counts as none: otherwise a client that sends it with every request could not
    sign in again. Any other token must be good even there (contract 2.2).
    """
    authorization = request.headers.get("authorization")
    if authorization is None:
        return Refused((MISSING_ACCESS_TOKEN,)) if protected else None
    if "x-anonymous-customer-unique-id" in request.headers:
        return Refused((TWO_IDENTITIES,))
    scheme, *tokens = authorization.split(maxsplit=2) or [""]
    if scheme.lower() != "bearer" or len(tokens) != 1:
        return Refused((INVALID_ACCESS_TOKEN,))
    reply = await execute(request, ME, {})
    return None if is_revoked(reply) and not protected else read(reply, OUTCOMES["me"])

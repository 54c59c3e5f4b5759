"""A stand-in for the gateway behind the REST door: one answer for every mutation, and a list of what ran."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request

from graphql_api.http.strict_json import read_json
from registration.rules.password import PasswordPolicy
from rest_compat.caller import ME
from rest_compat.execution import Reply
from rest_compat.routes import routes
from tests.clock import TODAY

CUSTOMER = {
    "reference": "DE--25",
    "email": "sonia@spryker.com",
    "salutation": "MRS",
    "gender": "FEMALE",
    "firstName": "Sonia",
    "lastName": "Wagner",
    "dateOfBirth": None,
    "createdAt": "2018-11-06T08:15:02.694668+00:00",
    "updatedAt": "2018-11-06T08:15:02.694668+00:00",
}
UNAUTHENTICATED = Reply({"me": None}, [{"message": "m", "extensions": {"code": "UNAUTHENTICATED"}}])
REVOKED = Reply({"me": None}, [{"message": "m", "extensions": {"code": "UNAUTHENTICATED", "reason": "REVOKED"}}])
OUTAGE = Reply(None, [{"message": "m", "extensions": {"code": "UNAVAILABLE"}}], status=503, retry_after=5)
SIGNED_IN = {"authorization": "Bearer good"}


@dataclass(slots=True)
class Gateway:
    """Only the token of SIGNED_IN is valid; the token `revoked` was."""

    reply: Reply
    me: Reply = field(default_factory=lambda: Reply({"me": CUSTOMER}))
    ran: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)
    locked_out: str | None = None
    """A user name."""

    async def execute(self, request: Request, document: str, variables: Mapping[str, object]) -> Reply:
        if document == ME:
            replies = {"good": self.me, "revoked": REVOKED}
            return replies.get(request.headers["authorization"].split()[1], UNAUTHENTICATED)
        self.ran.append((document, variables))
        return self.reply

    async def seconds_blocked(self, _request: Request, username: str) -> int | None:
        return 61 if username == self.locked_out else None


def application(
    gateway: Gateway, policy: PasswordPolicy | None = None, *, id_company_user: bool = False, lockout_minutes: int = 6
) -> Starlette:
    shim = routes(
        gateway.execute,
        read_json=read_json,
        today=lambda: TODAY,
        policy=policy or PasswordPolicy(deny_list=frozenset({"password"})),
        base_url="https://glue.example.com",
        client_id="frontend",
        seconds_blocked=gateway.seconds_blocked,
        lockout_minutes=lockout_minutes,
        id_company_user=id_company_user,
    )
    return Starlette(routes=[*shim.resources, shim.any_path])


NOTHING_RUNS = Gateway(Reply(None))

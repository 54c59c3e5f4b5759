"""What a resolver may use of one request."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from strawberry import Info as StrawberryInfo

from graphql_api.engine.callers import Callers
from graphql_api.engine.errors import Unauthenticated
from graphql_api.engine.threads import Threads, in_time
from graphql_api.server.admission import Admission, Admitted, Refusal
from graphql_api.server.refresh_cookie import RefreshCookie
from graphql_api.server.watch import Watch
from registration.keys.handles import Handle
from registration.keys.signing_keys import Algorithm
from registration.language import Language
from registration.outcomes import SignInOutcome, SignUpOutcome
from registration.services import Services
from registration.sessions.access_tokens import BadToken, Caller
from registration.sessions.batch import SignInBatcher
from registration.sessions.devices import UNKNOWN, Device
from registration.sessions.sign_in import SignInRequest, sign_in
from registration.signing_up.batch import SignUpBatcher
from registration.signing_up.progress import RegistrationState
from registration.signing_up.sign_up import SignUpRequest, sign_up
from registration.tracing import traces

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Context:
    """The domain's services, the threads to run them on, and what the request says about its sender."""

    services: Services
    threads: Threads
    admission: Admission
    sign_ups: SignUpBatcher
    sign_ins: SignInBatcher
    callers: Callers
    language: Language
    client_ip: str
    registrations: Watch[Handle, RegistrationState]
    authorization: str | None = field(default=None, repr=False)
    device: Device = UNKNOWN
    refresh_cookie: RefreshCookie | None = None
    """Where the refresh token travels instead of the body; None where it does not, and at the JSON:API door."""
    legacy: bool = False
    """Whether the request came through the JSON:API door: the legacy contract stands there (decision 0029)."""

    @property
    def token_algorithm(self) -> Algorithm:
        """How access tokens are signed where there are keys for both: RS256 is the contract's (8.5), but costs 2 ms."""
        return "RS256" if self.legacy else "ES256"

    async def caller(self) -> Caller:
        """The customer of the access token; raises Unauthenticated, which becomes a top-level error of that code."""
        token = bearer_token(self.authorization)
        if token is None:
            raise Unauthenticated
        caller = await self.callers.authenticate(token)
        if isinstance(caller, BadToken):
            raise Unauthenticated(revoked=caller is BadToken.REVOKED)
        return caller

    async def sign_up(self, request: SignUpRequest) -> SignUpOutcome:
        """Register a customer, in a turn of the admission."""
        with traces.span("sign_up"):
            return await in_time(asyncio.wrap_future(sign_up(self.services, self.sign_ups, request)))

    async def sign_in(self, email: str, password: str) -> SignInOutcome:
        """Open a session, in a turn of the admission."""
        request = SignInRequest(email, password, self.client_ip, self.device, self.token_algorithm)
        with traces.span("sign_in"):
            return await in_time(asyncio.wrap_future(sign_in(self.services, self.sign_ins, request)))

    async def run_in_turn(
        self, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Admitted[Result] | Refusal:
        """Wait for a turn, then run a use case that hashes: for requests that are no GraphQL operation."""
        return await self.admission.run(lambda: self.threads.run_hashing(work, *args, **kwargs))


Info = StrawberryInfo[Context, None]


def bearer_token(authorization: str | None) -> str | None:
    """The token of the header Authorization (RFC 6750, 2.1); None without one, or with something else."""
    scheme, *tokens = (authorization or "").split(maxsplit=2) or [""]
    return tokens[0] if scheme.lower() == "bearer" and len(tokens) == 1 else None

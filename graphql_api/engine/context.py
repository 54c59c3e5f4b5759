"""What a resolver may use of one request; it never holds the request itself."""

from dataclasses import dataclass, field

from strawberry import Info as StrawberryInfo

from graphql_api.engine.errors import Unauthenticated
from graphql_api.engine.threads import Threads
from registration.language import Language
from registration.services import Services
from registration.sessions.access_tokens import Caller, authenticate
from registration.signing_up.batch import SignUps


@dataclass(frozen=True, slots=True)
class Context:
    """The domain's services, the threads to run them on, and what the request says about its sender."""

    services: Services
    threads: Threads
    sign_ups: SignUps
    language: Language
    client_address: str
    authorization: str | None = field(default=None, repr=False)

    async def caller(self) -> Caller:
        """Whose access token it is; raises Unauthenticated, which becomes a top-level error of that code."""
        scheme, *tokens = (self.authorization or "").split() or [""]
        caller = None
        if scheme.lower() == "bearer" and len(tokens) == 1:
            caller = await self.threads.run(authenticate, self.services, tokens[0])
        if caller is None:
            raise Unauthenticated
        return caller


Info = StrawberryInfo[Context, None]

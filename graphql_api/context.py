"""What a resolver may use of one request; it never holds the request itself."""

from dataclasses import dataclass

from strawberry import Info as StrawberryInfo

from graphql_api.threads import Threads
from registration.language import Language
from registration.services import Services


@dataclass(frozen=True, slots=True)
class Context:
    """The domain's services, the threads to run them on, and what the request says about its sender."""

    services: Services
    threads: Threads
    language: Language
    client_address: str
    correlation_id: str


Info = StrawberryInfo[Context, None]
